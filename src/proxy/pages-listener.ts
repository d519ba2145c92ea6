/** The pages as what Node's server calls. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { StateSource } from '../mirror/report/repository-state.ts';
import { createPages } from './pages.ts';

/**
 * The pages are told nothing of what a client says of the host that it believes to speak with (HOSTILE 13). `failed` is
 * told of an error, and says what the client may know of it.
 */
export function pagesListener(
  source: StateSource,
  failed: (error: unknown) => string,
): (request: IncomingMessage, response: ServerResponse) => void {
  const pages = createPages(source);
  pages.onError((error, context) => context.text(`${failed(error)}\n`, 500));
  const listener = getRequestListener((request) => pages.fetch(request), { overrideGlobalObjects: false });
  return (request, response) => {
    request.headers.host = 'localhost';
    // Node leaves the body of an answer to HEAD out; hono would leave its length out too.
    request.method = 'GET';
    void listener(request, response);
  };
}
