// Answers GET /refresh on port 8000 and publishes what it does to the client in the header Sse-Client-ID.

import 'dart:io';

Future<void> publish(String? id, String text) async {
  if (id == null) return;
  final client = HttpClient()..connectionTimeout = const Duration(seconds: 2);
  try {
    final request = await client.postUrl(Uri.parse('http://127.0.0.1:2428/api/v1/sse/debug'));
    request.headers.set('Sse-Client-ID', id);
    request.headers.contentType = ContentType.text;
    request.write(text);
    await (await request.close()).drain<void>();
  } on IOException {
    // Nobody watches; the work goes on.
  } finally {
    client.close();
  }
}

Future<void> main() async {
  final server = await HttpServer.bind('127.0.0.1', 8000);
  print('listening on http://127.0.0.1:8000');
  await for (final request in server) {
    final id = request.headers.value('Sse-Client-ID');
    await publish(id, 'Refreshing repository demo');
    await publish(id, 'Refresh finished');
    request.response.statusCode = 204;
    await request.response.close();
  }
}
