// A stand-in for Gemini that answers at once, and counts how often it has drawn
// each prompt.

import {createServer} from 'node:http';
import {json} from 'node:stream/consumers';

const picture = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

// startGemini returns the stand-in. It refuses the prompts and the seeds of the
// set refused, and holds back the prompts of the map held: until their promise is
// there, or the one that their function returns for each request. The map asked
// has the latest request for each prompt. paint returns the picture for a
// request, as PNG in base64.
export async function startGemini({paint = () => picture} = {}) {
  const drawn = new Map();
  const refused = new Set();
  const held = new Map();
  const asked = new Map();
  const server = createServer(async (request, response) => {
    response.setHeader('Content-Type', 'application/json');
    if (request.method === 'GET') {
      response.end(JSON.stringify({name: request.url.slice('/v1beta/'.length)}));
      return;
    }
    const body = await json(request);
    const prompt = body.contents[0].parts[0].text;
    asked.set(prompt, body);
    const hold = held.get(prompt);
    await (typeof hold === 'function' ? hold() : hold);
    if (refused.has(prompt) || refused.has(body.generationConfig?.seed)) {
      response.end(JSON.stringify({promptFeedback: {blockReason: 'SAFETY'}}));
      return;
    }
    drawn.set(prompt, (drawn.get(prompt) ?? 0) + 1);
    response.end(JSON.stringify({
      candidates: [{content: {role: 'model', parts: [{inlineData: {mimeType: 'image/png', data: paint(body)}}]}, finishReason: 'STOP', index: 0}],
      usageMetadata: {promptTokenCount: 1, candidatesTokenCount: 1120, totalTokenCount: 1121}, modelVersion: 'stand-in', responseId: 'r',
    }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {url: `http://127.0.0.1:${server.address().port}`, drawn, refused, held, asked, close: () => closeServer(server)};
}

// closeServer ends a server, and what is connected to it.
export function closeServer(server) {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
}
