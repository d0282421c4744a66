/**
 * Lists that are written at their ends and read once, all in one pool: slips of a few lines each,
 * of which a list has as many as it needs. A slip that was read is the next one's that needs one.
 */
const none = -1;
/** Large enough that reading is mostly going straight on, small enough for half empty ones. */
const linesOfSlip = 32;

export class Slips {
  #dueMs: Float64Array;
  #things: Int32Array;
  /** Of each slip the one that was begun before it in its list, or the next free one. */
  #before: Int32Array;
  #free = none;
  #begun = 0;
  /** Of each list the slip that is written on, and how many lines it has. */
  readonly #last: Int32Array;
  readonly #lines: Uint8Array;

  constructor(lists: number) {
    this.#last = new Int32Array(lists).fill(none);
    this.#lines = new Uint8Array(lists);
    this.#before = new Int32Array(lists);
    this.#things = new Int32Array(lists * linesOfSlip);
    this.#dueMs = new Float64Array(lists * linesOfSlip);
  }

  write(list: number, thing: number, dueMs: number): void {
    if (this.#last[list] === none || this.#lines[list] === linesOfSlip) this.#begin(list);
    const lines = this.#lines[list] as number;
    const at = (this.#last[list] as number) * linesOfSlip + lines;
    this.#things[at] = thing;
    this.#dueMs[at] = dueMs;
    this.#lines[list] = lines + 1;
  }

  /** All of a list, in no order that matters; it is empty then, and may be written meanwhile. */
  read(list: number, see: (thing: number, dueMs: number) => void): void {
    let slip = this.#last[list] as number;
    let lines = this.#lines[list] as number;
    this.#last[list] = none;
    while (slip !== none) {
      const first = slip * linesOfSlip;
      for (let at = first; at < first + lines; at++) {
        see(this.#things[at] as number, this.#dueMs[at] as number);
      }
      const before = this.#before[slip] as number;
      this.#before[slip] = this.#free;
      this.#free = slip;
      slip = before;
      lines = linesOfSlip;
    }
  }

  #begin(list: number): void {
    const slip = this.#free === none ? this.#added() : this.#free;
    if (slip === this.#free) this.#free = this.#before[slip] as number;
    this.#before[slip] = this.#last[list] as number;
    this.#last[list] = slip;
    this.#lines[list] = 0;
  }

  #added(): number {
    if (this.#begun === this.#before.length) this.#grow();
    return this.#begun++;
  }

  #grow(): void {
    const [before, things, dueMs] = [this.#before, this.#things, this.#dueMs];
    this.#before = new Int32Array(2 * before.length);
    this.#things = new Int32Array(2 * things.length);
    this.#dueMs = new Float64Array(2 * dueMs.length);
    this.#before.set(before);
    this.#things.set(things);
    this.#dueMs.set(dueMs);
  }
}
