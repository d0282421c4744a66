/**
 * The peers of a simulated world, as numbers: when each dies, whether it is there, since when it is
 * silent. A dead one keeps its number until nobody has it for a member any more. No events, no
 * time.
 */
import { assert } from "../../src/base/errors.ts";

const used = 1;
const alive = 2;
const online = 4;
const condemned = 8;
const fresh = 16;

export class Peers {
  readonly capacity: number;
  readonly placeOf: Int32Array;
  readonly kindOf: Uint8Array;
  readonly diesAtMs: Float64Array;
  readonly silentSinceMs: Float64Array;
  /** Of each place, who lives there now. */
  readonly occupants: Int32Array;
  readonly #flags: Uint8Array;
  readonly #free: number[] = [];
  #taken = 0;

  constructor(places: number) {
    // Half of the peers may be dead and still have seats: far more than any group can bear.
    this.capacity = places * 2;
    this.placeOf = new Int32Array(this.capacity);
    this.kindOf = new Uint8Array(this.capacity);
    this.diesAtMs = new Float64Array(this.capacity);
    this.silentSinceMs = new Float64Array(this.capacity);
    this.occupants = new Int32Array(places);
    this.#flags = new Uint8Array(this.capacity);
  }

  /** A number for somebody new, who is there. */
  move(place: number, kind: number): number {
    const number = this.#free.pop() ?? this.#taken++;
    assert(number < this.capacity, "the dead have too many seats");
    this.placeOf[number] = place;
    this.occupants[place] = number;
    this.kindOf[number] = kind;
    this.#flags[number] = used | alive | online;
    return number;
  }

  /** The number may be somebody else's from now on. */
  release(peer: number): void {
    assert(!this.isAlive(peer), "the living keep their numbers");
    this.#flags[peer] = 0;
    this.#free.push(peer);
  }

  isAlive(peer: number): boolean {
    return this.#has(peer, alive);
  }

  isOnline(peer: number): boolean {
    return this.#has(peer, online);
  }

  /** Taken for dead, rightly or not. */
  isCondemned(peer: number): boolean {
    return this.#has(peer, condemned);
  }

  /** Condemned by a short silence. */
  isFresh(peer: number): boolean {
    return this.#has(peer, fresh);
  }

  setOnline(peer: number, isThere: boolean): void {
    this.#set(peer, online, isThere);
  }

  condemn(peer: number, { isFresh }: { readonly isFresh: boolean }): void {
    this.#set(peer, condemned, true);
    this.#set(peer, fresh, isFresh);
  }

  acquit(peer: number): void {
    this.#set(peer, condemned | fresh, false);
  }

  kill(peer: number): void {
    this.#set(peer, alive | online, false);
  }

  #has(peer: number, flag: number): boolean {
    return ((this.#flags[peer] as number) & flag) !== 0;
  }

  #set(peer: number, flag: number, value: boolean): void {
    const flags = this.#flags[peer] as number;
    this.#flags[peer] = value ? flags | flag : flags & ~flag;
  }
}
