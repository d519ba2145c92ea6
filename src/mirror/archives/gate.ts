/** At most so many at once; the others wait in the order they came. */
export class Gate {
  readonly #places: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#places = places;
  }

  /** Takes a place, and resolves to what gives it back; done again, that does nothing. */
  async enter(): Promise<() => void> {
    if (this.#taken >= this.#places) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#taken += 1;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const next = this.#waiting.shift();
      if (next === undefined) this.#taken -= 1;
      else next();
    };
  }

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    const leave = await this.enter();
    try {
      return await work();
    } finally {
      leave();
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

  /** As `Gate.enter`, at the gate of this key. */
  async enter(key: string): Promise<() => void> {
    let gate = this.#gates.get(key);
    if (gate === undefined) {
      gate = new Gate(this.#places);
      this.#gates.set(key, gate);
    }
    const entered = gate;
    const leave = await entered.enter();
    return () => {
      leave();
      // Another one may have taken its place since it fell idle.
      if (entered.idle && this.#gates.get(key) === entered) this.#gates.delete(key);
    };
  }
}
