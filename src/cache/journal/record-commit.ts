/**
 * The short way to the disk: journal records that name no block which is not durable go there at
 * once, for all who ask at the same time, while blocks of others are still on their long way.
 */

interface Needs {
  /** Makes all records that wait durable; false, and nothing was done, if some must wait. */
  readonly write: () => Promise<boolean>;
  /** The long way, which blocks go too. */
  readonly sync: () => Promise<void>;
}

export class RecordCommit {
  readonly #needs: Needs;
  #next: Promise<void> | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(needs: Needs) {
    this.#needs = needs;
  }

  /** All records that were appended before this call are durable when it resolves. */
  request(): Promise<void> {
    this.#next ??= this.#after(this.#running);
    return this.#next;
  }

  async #after(running: Promise<unknown>): Promise<void> {
    // Whoever asks until the one before has ended shares this one.
    await running;
    this.#next = undefined;
    const written = this.#needs.write();
    this.#running = written.catch(() => undefined);
    if (!(await written)) await this.#needs.sync();
  }
}
