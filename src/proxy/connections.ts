/** One request at a time on each connection, however many a client sends ahead of the answers. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests that may wait behind the one being answered; no client of ours sends even one ahead. */
const SENT_AHEAD = 16;

export class Connections {
  readonly #ahead = new WeakMap<Socket, number>();

  /**
   * Runs `answer` when the response's turn has come: Node hands over every request that it has read, and one
   * connection could have any number of downloads, open files and buffers. Beyond the bound it is cut off.
   */
  inTurn(socket: Socket, response: ServerResponse, answer: () => void): void {
    // A response has its socket once those before it are done.
    if (response.socket !== null) {
      answer();
      return;
    }
    const ahead = (this.#ahead.get(socket) ?? 0) + 1;
    if (ahead > SENT_AHEAD) {
      socket.destroy();
      return;
    }
    this.#ahead.set(socket, ahead);
    response.once('socket', () => {
      this.#ahead.set(socket, (this.#ahead.get(socket) ?? 1) - 1);
      answer();
    });
  }
}
