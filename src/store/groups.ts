/**
 * Group commit: work that costs much once and little for each is done for many together. What is added in one turn
 * of the event loop, and all that is added while a group is under way, forms the next group; whoever comes alone is
 * a group of one and waits for nobody. With a `pause` in milliseconds groups that follow one another keep such a
 * distance, so that those of a busy time are large.
 */

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
}

/** Answers for each item, in their order; what it throws is the answer to all. */
type Settle<Item, Result> = (items: readonly Item[]) => Promise<readonly PromiseSettledResult<Result>[]>;

export class Groups<Item, Result> {
  readonly #settle: Settle<Item, Result>;
  readonly #pause: number;
  #coming: Waiting<Item, Result>[] = [];
  #underWay = false;

  constructor(settle: Settle<Item, Result>, pause = 0) {
    this.#settle = settle;
    this.#pause = pause;
  }

  /** The outcome of this one item, once its group is settled. */
  add(item: Item): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#coming.push({ item, resolve, reject });
    if (!this.#underWay) {
      this.#underWay = true;
      setImmediate(() => void this.#run());
    }
    return promise;
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
    if (this.#pause > 0 && this.#coming.length > 0) setTimeout(() => void this.#run(), this.#pause);
    else if (this.#coming.length > 0) setImmediate(() => void this.#run());
    else this.#underWay = false;
  }
}
