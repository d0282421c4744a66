/**
 * The tree's part in a drive's ties (dag/ties.ts): it keeps with its root what somebody else makes
 * of them, and tells him what other devices' roots have, before anything of those comes in. Whoever
 * was shut out on one device is so on the next before that has what came after. It reads no entry.
 */
import type { Loan } from "../base/devices.ts";
import type { Cid } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type ChunkLink, openChunk } from "../dag/chunks.ts";
import type { RootRecord } from "../dag/root.ts";
import { attempt } from "./attempt.ts";
import type { State } from "./state/state.ts";

const { chunkBytes } = limits.tree;

/** Is told the ties of a root; resolves when what they say counts. */
export type TiesListener = (bytes: Uint8Array) => Promise<void>;

interface Handed {
  readonly told: Uint8Array;
  readonly links: readonly ChunkLink[];
}

export class TiesPart {
  /** Whom to tell; whoever is not there yet is told when he is. */
  heard: TiesListener = async () => undefined;
  readonly #state: State;
  /** Of the committed root. */
  #links: readonly ChunkLink[];
  /** For the next one. */
  #told: Uint8Array | undefined;
  /** Handed over for the commit under way. */
  #next: Handed | undefined;

  constructor(state: State, links: readonly ChunkLink[]) {
    this.#state = state;
    this.#links = links;
  }

  /** As this drive's next root has them; empty where there are none. */
  async bytes(): Promise<Uint8Array> {
    return this.#told ?? await this.#read(this.#links);
  }

  /** From the next commit on the root has these. */
  async keep(bytes: Uint8Array): Promise<void> {
    if (this.#state.readOnly || Buffer.from(await this.bytes()).equals(bytes)) return;
    this.#told = bytes;
    this.#state.mark();
  }

  /** What another device's root has is heard of. */
  async meet({ ties }: RootRecord, loan?: Loan): Promise<void> {
    const known = new Set(this.#links.map(({ cid }) => cid));
    if (ties.every(({ cid }) => known.has(cid))) return;
    await this.heard(await this.#read(ties, loan));
  }

  /** What the root that is being written has to link. */
  async next(): Promise<readonly ChunkLink[]> {
    const told = this.#told;
    if (told === undefined) return this.#links;
    const handed = this.#state.blocks.putChunks(piecesOf(told), { slot: 0 });
    const links = handed.map(({ link }) => link);
    this.#next = { told, links };
    for (const { arrival } of handed) await arrival;
    return links;
  }

  /** The store has that root. */
  committed(): void {
    if (this.#next === undefined) return;
    const { told, links } = this.#next;
    this.#links = links;
    if (this.#told === told) this.#told = undefined;
    this.#next = undefined;
  }

  /** What garbage must not be. */
  blocks(): readonly Cid[] {
    return [...this.#links, ...this.#next?.links ?? []].map(({ cid }) => cid);
  }

  async #read(links: readonly ChunkLink[], loan?: Loan): Promise<Uint8Array> {
    const pieces: Buffer[] = [];
    for (const link of links) pieces.push(Buffer.from(await this.#piece(link, loan)));
    return Buffer.concat(pieces);
  }

  /** With a loan it may be with that device alone. */
  async #piece(link: ChunkLink, loan?: Loan): Promise<Uint8Array> {
    const { blocks } = this.#state;
    if (loan === undefined || blocks.has(link.cid)) return attempt(() => blocks.chunk(link));
    const { lender, from } = loan;
    return openChunk(link, await lender.borrow(link.cid, { from, isKept: false })).plain;
  }
}

function piecesOf(bytes: Uint8Array): readonly Uint8Array[] {
  const count = Math.ceil(bytes.length / chunkBytes);
  return Array.from({ length: count }, (_, at) => {
    return bytes.subarray(at * chunkBytes, (at + 1) * chunkBytes);
  });
}
