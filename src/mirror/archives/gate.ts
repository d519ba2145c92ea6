/** At most so many at once; the others wait in the order they came. */
export class Gate {
  readonly #places: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#places = places;
  }

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#taken >= this.#places) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#taken += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#taken -= 1;
      else next();
    }
  }

  get idle(): boolean {
    return this.#taken === 0;
  }
}

/** One gate for each key, forgotten when nobody is in it. */
export class KeyedGates {
  readonly #places: number;
  readonly #gates = new Map<string, Gate>();

  constructor(places: number) {
    this.#places = places;
  }

  async run<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    let gate = this.#gates.get(key);
    if (gate === undefined) {
      gate = new Gate(this.#places);
      this.#gates.set(key, gate);
    }
    try {
      return await gate.run(work);
    } finally {
      // Another one may have taken its place since it fell idle.
      if (gate.idle && this.#gates.get(key) === gate) this.#gates.delete(key);
    }
  }
}
