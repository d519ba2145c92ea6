import type { SignedFile } from './form.ts';

/** A signed file that is parsed when it is first asked for: of thousands of keys and delegations a step concerns few. */
export class LazyFile<Content> {
  #state: { readonly parse: () => SignedFile<Content> } | { readonly parsed: SignedFile<Content> };

  constructor(parse: () => SignedFile<Content>) {
    this.#state = { parse };
  }

  read(): SignedFile<Content> {
    if ('parse' in this.#state) this.#state = { parsed: this.#state.parse() };
    return this.#state.parsed;
  }
}
