"""Middleware of Flask and other WSGI applications: `app.wsgi_app = codechat_wsgi.Middleware(app.wsgi_app)`."""
import urllib.parse
from codechat_logging import operation

class Middleware:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        name = f"{environ['REQUEST_METHOD']} {urllib.parse.quote(environ.get('PATH_INFO', ''), encoding='latin-1')}"
        with operation(name, environ.get("HTTP_SSE_CLIENT_ID")) as end:
            def starting(status, *more):
                end.update(message=status[:3], outcome="ok" if status < "4" else "failed")
                return start_response(status, *more)
            body = self.app(environ, starting)
            try:
                yield from body
            finally:
                getattr(body, "close", lambda: None)()
