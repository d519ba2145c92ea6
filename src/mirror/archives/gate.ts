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
    if (!this.#take()) await this.#turn();
    let left = false;
    return () => {
      if (!left) this.#leave();
      left = true;
    };
  }

  /** Begins at once when there is a place. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (!this.#take()) await this.#turn();
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** False when all places are taken. */
  #take(): boolean {
    if (this.#taken >= this.#places) return false;
    this.#taken += 1;
    return true;
  }

  /** Waits for a place that another one gives on. */
  #turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken -= 1;
    else next();
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
