/**
 * Who sits where: groups of n seats, and of each peer the seats that it has, in four arrays. A seat
 * knows as well whether its peer has the shard that belongs there. It decides nothing.
 */
import { assert } from "../../src/base/errors.ts";

export const nobody = -1;

export class Seats {
  readonly width: number;
  readonly groups: number;
  /** Of each seat its peer; group g has those from g x width on. */
  readonly #peers: Int32Array;
  readonly #hasShard: Uint8Array;
  readonly #first: Int32Array;
  readonly #next: Int32Array;
  readonly #before: Int32Array;
  /** Seats of each peer. */
  readonly #counts: Int32Array;

  constructor({ groups, width, peers }: {
    readonly groups: number; readonly width: number; readonly peers: number;
  }) {
    this.width = width;
    this.groups = groups;
    this.#peers = new Int32Array(groups * width).fill(nobody);
    this.#hasShard = new Uint8Array(groups * width);
    this.#next = new Int32Array(groups * width).fill(nobody);
    this.#before = new Int32Array(groups * width).fill(nobody);
    this.#first = new Int32Array(peers).fill(nobody);
    this.#counts = new Int32Array(peers);
  }

  peerOf(seat: number): number {
    return this.#peers[seat] as number;
  }

  peersOf(group: number): Int32Array {
    return this.#peers.subarray(group * this.width, (group + 1) * this.width);
  }

  countOf(peer: number): number {
    return this.#counts[peer] as number;
  }

  hasShard(seat: number): boolean {
    return this.#hasShard[seat] === 1;
  }

  setShard(seat: number, isThere: boolean): void {
    this.#hasShard[seat] = isThere ? 1 : 0;
  }

  /** The seats of a peer, one after the other; they must not change meanwhile. */
  forEachSeat(peer: number, act: (seat: number) => void): void {
    let seat = this.#first[peer] as number;
    for (; seat !== nobody; seat = this.#next[seat] as number) act(seat);
  }

  /** The seat is another's, who has nothing there yet. */
  give(seat: number, peer: number): void {
    const before = this.peerOf(seat);
    if (before !== nobody) this.#unlink(seat, before);
    this.#peers[seat] = peer;
    this.#hasShard[seat] = 0;
    if (peer === nobody) return;
    const first = this.#first[peer] as number;
    this.#next[seat] = first;
    this.#before[seat] = nobody;
    if (first !== nobody) this.#before[first] = seat;
    this.#first[peer] = seat;
    this.#counts[peer] = this.countOf(peer) + 1;
  }

  #unlink(seat: number, peer: number): void {
    const [before, next] = [this.#before[seat] as number, this.#next[seat] as number];
    if (before !== nobody) this.#next[before] = next;
    else this.#first[peer] = next;
    if (next !== nobody) this.#before[next] = before;
    this.#counts[peer] = this.countOf(peer) - 1;
    assert(this.countOf(peer) >= 0, "nobody gives more seats than it has");
  }
}
