"""Middleware of FastAPI and Starlette: `app.add_middleware(codechat_asgi.Middleware)`."""
import asyncio, urllib.parse
from codechat_logging import operation, publisher

class Middleware:  # not a BaseHTTPMiddleware, whose context variables the application does not see
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        ids = [value.decode("latin-1") for name, value in scope.get("headers", []) if name == b"sse-client-id"]
        name = f"{scope.get('method')} {urllib.parse.quote(scope.get('path', ''))}"
        with operation(name, ids[0] if scope["type"] == "http" and len(ids) == 1 else None) as end:
            async def sending(message):
                if message["type"] == "http.response.start" and "outcome" in end:
                    end.update(message=str(message["status"]), outcome="ok" if message["status"] < 400 else "failed")
                elif message["type"].startswith("lifespan.shutdown."):
                    await asyncio.to_thread(publisher.flush)  # uvicorn lets SIGTERM end the process
                await send(message)
            await self.app(scope, receive, sending)
