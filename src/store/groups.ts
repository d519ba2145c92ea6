/**
 * Group commit: work that costs much once and little for each is done for many together. What is added in one turn
 * of the event loop, and all that is added while a group is under way, forms the next group; whoever comes alone is
 * a group of one and waits for nobody. With a `pause` in milliseconds a group also waits, for that long at most, while
 * others have said that they will come, so that those of a busy time are large.
 */

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
}

/** Answers for each item, in their order; what it throws is the answer to all. */
type Settle<Item, Result> = (items: readonly Item[]) => Promise<readonly PromiseSettledResult<Result>[]>;

/** One that will come, or will not: told once, whichever it is. */
export interface Announced<Item, Result> {
  add(item: Item): Promise<Result>;
  /** Does nothing after `add`. */
  leave(): void;
}

export class Groups<Item, Result> {
  readonly #settle: Settle<Item, Result>;
  readonly #pause: number;
  #coming: Waiting<Item, Result>[] = [];
  #announced = 0;
  #underWay = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(settle: Settle<Item, Result>, pause = 0) {
    this.#settle = settle;
    this.#pause = pause;
  }

  /** The outcome of this one item, once its group is settled. */
  add(item: Item): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#coming.push({ item, resolve, reject });
    this.#plan();
    return promise;
  }

  /** Says that an item will come: for it the others wait. */
  announce(): Announced<Item, Result> {
    this.#announced += 1;
    let told = false;
    const tell = (): void => {
      if (!told) this.#announced -= 1;
      told = true;
    };
    return {
      add: (item) => {
        tell();
        return this.add(item);
      },
      leave: () => {
        tell();
        this.#plan();
      },
    };
  }

  #plan(): void {
    if (this.#underWay || this.#coming.length === 0) return;
    if (this.#pause > 0 && this.#announced > 0) {
      this.#timer ??= setTimeout(() => this.#begin(), this.#pause);
    } else {
      this.#begin();
    }
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#underWay = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    const group = this.#coming;
    this.#coming = [];
    try {
      const outcomes = await this.#settle(group.map(({ item }) => item));
      for (const [index, { resolve, reject }] of group.entries()) {
        const outcome = outcomes[index];
        if (outcome?.status === 'fulfilled') resolve(outcome.value);
        else reject(outcome?.reason);
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
    this.#underWay = false;
    this.#plan();
  }
}
