/**
 * Signed statements of round trips: this node's own, and those of others that it asked them for.
 * The newest of each verifier about each target; bounded in all, and for each target by taking
 * those whom we have known for longest, so that a crowd of new keys crowds nobody out.
 */
import type { KeyValue } from "../base/blocks.ts";
import { peopleKeys } from "../base/book-keys.ts";
import type { Clock } from "../base/clock.ts";
import { isFault } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { RangeStatement } from "../base/records.ts";
import { parseRange } from "../crypt/records/range.ts";
import type { Pending } from "./pending.ts";

export interface StatementsNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly pending: Pending;
  /** Since when a verifier is known; this node has known itself for ever. */
  readonly knownSinceMs: (verifier: PeerId) => number;
}

const keys = peopleKeys.statement;

export class Statements {
  readonly #needs: StatementsNeeds;
  readonly #byTarget = new Map<PeerId, Map<PeerId, RangeStatement>>();
  #count = 0;

  constructor(needs: StatementsNeeds) {
    this.#needs = needs;
  }

  async load(books: KeyValue): Promise<void> {
    for await (const [key, value] of books.list(keys)) {
      try {
        if (!this.#take(parseRange(value))) this.#needs.pending.set(key, undefined);
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#needs.log.warn("places.spoilt", { fault: describe(error) });
        this.#needs.pending.set(key, undefined);
      }
    }
  }

  /** True when it is news. */
  add(statement: RangeStatement): boolean {
    if (!this.#take(statement)) return false;
    this.#needs.pending.set(keyOf(statement), statement.bytes);
    return true;
  }

  /** Those of the right age. */
  about(target: PeerId): readonly RangeStatement[] {
    const found = this.#byTarget.get(target);
    if (found === undefined) return [];
    return [...found.values()].filter((statement) => this.#isOfAge(statement));
  }

  /** Forgets what is too old; true when something was. */
  expire(): boolean {
    const before = this.#count;
    for (const statements of this.#byTarget.values()) {
      for (const statement of statements.values()) {
        if (!this.#isOfAge(statement)) this.#drop(statement);
      }
    }
    return this.#count < before;
  }

  #take(statement: RangeStatement): boolean {
    if (!this.#isOfAge(statement)) return false;
    const { target, verifier } = statement;
    const statements = this.#byTarget.get(target) ?? new Map<PeerId, RangeStatement>();
    const known = statements.get(verifier);
    if (known !== undefined && known.atMs >= statement.atMs) return false;
    if (known === undefined && !this.#makeRoom(statement, statements)) return false;
    statements.set(verifier, statement);
    this.#byTarget.set(target, statements);
    if (known === undefined) this.#count++;
    return true;
  }

  /** False when all who speak already are known for longer, or all is full. */
  #makeRoom({ verifier }: RangeStatement, statements: Map<PeerId, RangeStatement>): boolean {
    const { statementsMax, statementsPerTargetMax } = limits.places;
    const isFull = statements.size >= statementsPerTargetMax || this.#count >= statementsMax;
    if (!isFull) return true;
    const { knownSinceMs } = this.#needs;
    let youngest: RangeStatement | undefined;
    for (const one of statements.values()) {
      const isYounger = youngest === undefined ||
        knownSinceMs(one.verifier) > knownSinceMs(youngest.verifier);
      if (isYounger) youngest = one;
    }
    if (youngest === undefined) return false;
    if (knownSinceMs(youngest.verifier) <= knownSinceMs(verifier)) return false;
    this.#drop(youngest);
    return true;
  }

  #drop(statement: RangeStatement): void {
    const statements = this.#byTarget.get(statement.target);
    if (statements?.delete(statement.verifier) !== true) return;
    this.#count--;
    if (statements.size === 0) this.#byTarget.delete(statement.target);
    this.#needs.pending.set(keyOf(statement), undefined);
  }

  #isOfAge({ atMs }: RangeStatement): boolean {
    const ageMs = this.#needs.clock.now() - atMs;
    const { offerAheadMsMax } = limits.peers;
    return ageMs <= limits.places.statementAgeMsMax && ageMs >= -offerAheadMsMax;
  }
}

function keyOf({ target, verifier }: RangeStatement): string {
  return `${keys}${target}/${verifier}`;
}
