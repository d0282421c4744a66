/**
 * Who was shut out of which folder, and how far it is with what was there: sealed anew by the tree,
 * let go of by the holders (transfer/placed/clearing.ts). It remembers and tells; it does nothing
 * itself.
 *
 *   w/ERA  u8 version 2 | varint since ms | bytes whom, as she was called then | bytes path
 *          | varint later era whose clearing does for this one too, or 0
 *          | varint when all of it was sealed anew, or 0
 *          | varint ino of the folder whose snapshots from before are to go, or 0
 *          | u8 1 when they went; version 1 has neither of these
 */
import type { KeyValue } from "../../base/blocks.ts";
import { sharingKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { type Ino, parseIno } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { SealedEra, Withdrew } from "../../base/sharing.ts";
import type { WithdrawalView } from "../../base/views/sharing.ts";
import type { Clearing } from "../../transfer/placed/clearing.ts";

export interface WithdrawalsNeeds {
  readonly books: KeyValue;
  readonly clock: Clock;
  readonly clearing: Clearing;
}

interface Withdrawal {
  readonly era: number;
  readonly sinceMs: number;
  readonly from: string;
  readonly path: string;
  readonly under: number;
  readonly sealedAtMs: number;
  /** The folder whose snapshots from before are to go. */
  readonly dropping: Ino | null;
  readonly isDropped: boolean;
}

const version = 2;

/** What follows waits for others: for holders that are away, or for snapshots to go. */
const unfinished = new Set<WithdrawalView["phase"]>(["sealing", "finding", "clearing"]);

export class Withdrawals {
  readonly #needs: WithdrawalsNeeds;
  readonly #known = new Map<number, Withdrawal>();

  constructor(needs: WithdrawalsNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    for await (const [key, value] of this.#needs.books.list(sharingKeys.withdrawal)) {
      const era = Number(key.slice(2));
      this.#known.set(era, decode(era, value));
    }
  }

  /** What is still to be cleared of earlier ones is cleared with this one. */
  async begin({ era, path, from, dropping }: Withdrew): Promise<void> {
    const { clearing, clock } = this.#needs;
    const unfinished = clearing.wanted?.era;
    for (const one of this.#known.values()) {
      const isOpen = one.era === unfinished || one.under === unfinished;
      if (isOpen && unfinished !== undefined) await this.#keep({ ...one, under: era });
    }
    const sinceMs = clock.now();
    const done = { under: 0, sealedAtMs: 0, isDropped: false };
    await this.#keep({ era, sinceMs, from, path, dropping, ...done });
    await clearing.begin(era);
    await this.#forgetOldest();
  }

  /** All that there was in the folders of this era and those before it is sealed anew. */
  async sealed(sealed: SealedEra): Promise<void> {
    for (const one of this.#known.values()) {
      const isNews = one.era <= sealed.era && one.sealedAtMs === 0;
      if (isNews) await this.#keep({ ...one, sealedAtMs: sealed.atMs });
    }
    await this.#needs.clearing.sealed(sealed);
  }

  async dropped(era: number): Promise<void> {
    const one = this.#known.get(era);
    if (one !== undefined) await this.#keep({ ...one, isDropped: true });
  }

  /** Whether anything of what was there is still to be sealed anew, found or cleared away here. */
  isOpen(path: string): boolean {
    return [...this.#known.values()].some((one) => {
      return one.path === path && unfinished.has(this.#view(one, null).phase);
    });
  }

  /** The newest first. */
  list(trouble: string | null): readonly WithdrawalView[] {
    const all = [...this.#known.values()].sort((a, b) => b.era - a.era);
    return all.map((one) => this.#view(one, trouble));
  }

  #view(one: Withdrawal, trouble: string | null): WithdrawalView {
    const { wanted } = this.#needs.clearing;
    const { path, from, sinceMs, sealedAtMs, era, under, dropping, isDropped } = one;
    const holders = this.#needs.clearing.words(under === 0 ? era : under);
    const isOpen = wanted !== undefined && wanted.era === Math.max(era, under);
    const isConfirmed = holders.every(({ asked, confirmed }) => confirmed >= asked);
    const segmentsLeft = isOpen ? wanted.segments : 0;
    const isHeld = isOpen && wanted.isHeld;
    const phase = sealedAtMs === 0 ? "sealing"
      : segmentsLeft > 0 ? "clearing"
      : isOpen && !isHeld ? "finding"
      : !isConfirmed ? "waiting"
      : isHeld ? "held" : "done";
    return {
      era, path, from, phase, segmentsLeft, holders, snapshots: 0, dropping, isDropped,
      since: new Date(sinceMs).toISOString(),
      sealedAt: sealedAtMs === 0 ? null : new Date(sealedAtMs).toISOString(),
      waitingFor: phase === "finding" || phase === "clearing" ? trouble : null,
    };
  }

  async #forgetOldest(): Promise<void> {
    const { books, clearing } = this.#needs;
    const over = [...this.#known.keys()].sort((a, b) => b - a).slice(limits.sharing.withdrawalsMax);
    for (const era of over) {
      this.#known.delete(era);
      await books.delete(keyOf(era));
      await clearing.forget(era);
    }
  }

  async #keep(one: Withdrawal): Promise<void> {
    await this.#needs.books.put(keyOf(one.era), encode(one));
    this.#known.set(one.era, one);
  }
}

function keyOf(era: number): string {
  return sharingKeys.withdrawal + era;
}

function encode(one: Withdrawal): Buffer {
  const { sinceMs, from, path, under, sealedAtMs, dropping, isDropped } = one;
  const writer = new Writer(512).u8(version).varint(sinceMs);
  writer.bytes(Buffer.from(from)).bytes(Buffer.from(path));
  writer.varint(under).varint(sealedAtMs).varint(dropping ?? 0);
  return writer.u8(isDropped ? 1 : 0).finish();
}

function decode(era: number, value: Uint8Array): Withdrawal {
  const reader = new Reader(value, "sharing.withdrawal");
  const written = reader.u8();
  if (written < 1 || written > version) throw reader.corrupt("version");
  const sinceMs = reader.varint();
  const [from, path] = [reader.bytes().toString(), reader.bytes().toString()];
  const [under, sealedAtMs] = [reader.varint(), reader.varint()];
  const folder = written === 1 ? 0 : reader.varint();
  const isDropped = written > 1 && reader.u8() === 1;
  reader.end();
  const dropping = folder === 0 ? null : parseIno(folder);
  return { era, sinceMs, from, path, under, sealedAtMs, dropping, isDropped };
}
