/**
 * By what this device writes in a folder of somebody else's, if it may. The right itself is one
 * device's: whose the ties say it is (taken-ties.ts), or who began by it (claim.ts). Any other
 * writes by a right of its own that follows from it, under marks of its own, and stands in the list
 * of such devices (own-roster.ts), where the owner's record names that list: an older owner knows
 * of one device, and then this one reads. What the others wrote comes in as theirs (kin.ts).
 *
 * Nothing that was written here is ever written over: a device that may write no more shows what
 * it has, to be read.
 */
import { HiveError, isFault, unreachable } from "../../base/errors.ts";
import type { Cid, OwnerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { DeviceCertificate } from "../../base/records.ts";
import type { GuestRight, Share } from "../../base/sharing.ts";
import type { WriteRight } from "../../crypt/drive/write-right.ts";
import type { OwnerSigner } from "../../crypt/records/certificates.ts";
import type { SharePayload } from "../records/payload.ts";
import { Claim } from "./claim.ts";
import { Kin, type KinNeeds, type OwnPart } from "./kin.ts";
import { OwnRoster, type OwnRosterNeeds } from "./own-roster.ts";
import { Writing, type WritingNeeds } from "./writing.ts";

type Certifier = (keys: OwnerSigner) => () => readonly DeviceCertificate[];

export interface HandNeeds extends KinNeeds, Omit<OwnRosterNeeds, keyof KinNeeds> {
  readonly grant: OwnRosterNeeds["grant"] & WritingNeeds["grant"];
  readonly guests: WritingNeeds["guests"];
  /** By which this node acts for whoever has these keys. */
  readonly certifier: Certifier;
  readonly deviceName: string;
  /** The right itself is another device's. */
  readonly isFurther: boolean;
}

/**
 * first: by the right itself. own: by one that follows from it. held: by either, until another
 * device turned out to, or this one was let go of. reads: not at all.
 */
type Way = "first" | "own" | "held first" | "held own" | "reads";

const { rosterLookMs } = limits.writers;

export class Hand {
  readonly #needs: HandNeeds;
  readonly #claim: Claim;
  readonly #roster: OwnRoster;
  readonly #kin: Kin;
  readonly #first: Writing;
  readonly #own: Writing;
  readonly #certificates: readonly (() => readonly DeviceCertificate[])[];
  #way: Way = "reads";
  /** What the owner's newest record names. */
  #named: ReadonlySet<OwnerId> = new Set();
  #payload: SharePayload | undefined;
  #againAtMs = Infinity;
  #trouble: string | null = null;

  constructor(needs: HandNeeds) {
    this.#needs = needs;
    const { right, self, certifier } = needs;
    this.#claim = new Claim(needs);
    this.#roster = new OwnRoster(needs);
    this.#kin = new Kin(needs);
    const areOthers = (): boolean => this.#kin.areAny;
    this.#first = new Writing({ ...needs, claim: this.#claim, areOthers });
    this.#own = new Writing({ ...needs, right: right.of(self), areOthers });
    const acting = [right, this.#own.right, right.roster()];
    this.#certificates = acting.map(({ keys }) => certifier(keys));
  }

  /** What it writes by now, or did: the tree of that is shown. */
  get right(): GuestRight | undefined {
    const way = this.#way;
    switch (way) {
      case "first": return this.#rightOf(this.#first.right, { isHeld: false });
      case "own": return this.#rightOf(this.#own.right, { isHeld: false });
      case "held first": return this.#rightOf(this.#first.right, { isHeld: true });
      case "held own": return this.#rightOf(this.#own.right, { isHeld: true });
      case "reads": return undefined;
      default: return unreachable(way);
    }
  }

  get writes(): boolean {
    return this.#writing !== undefined;
  }

  get trouble(): string | null {
    return this.#trouble ?? this.#writing?.trouble ?? this.#waiting;
  }

  certificates(): readonly DeviceCertificate[] {
    const [first, own, roster] = this.#certificates;
    const isFirst = this.#way === "first" || !this.#needs.isFurther;
    const some = [
      isFirst ? first : undefined, this.#way === "own" ? own : undefined,
      this.#roster.speaks ? roster : undefined,
    ];
    return some.flatMap((certify) => certify?.() ?? []);
  }

  /** The owner takes in what several devices of one right write. */
  get isForMany(): boolean {
    return this.#named.has(this.#needs.right.roster().keys.owner);
  }

  /** It has to be looked at again by what this device writes. */
  get isUnsettled(): boolean {
    if (this.#way === "first") return this.#claim.rival !== null;
    if (this.#way === "own") return this.#roster.standing !== "in";
    return this.#needs.clock.monotonicMs() >= this.#againAtMs;
  }

  /** Before the state of a record is shown. Unavailable while nobody can tell who else writes. */
  async settle({ writers }: Pick<Share, "writers">, payload: SharePayload): Promise<void> {
    await this.#roster.open();
    this.#hear(writers.map(({ writer }) => writer));
    this.#payload = payload;
    for (const writing of [this.#first, this.#own]) writing.know(payload);
    this.#trouble = null;
    this.#againAtMs = Infinity;
    this.#way = await this.#choose();
    await this.#meet();
  }

  /** There is a tree. */
  async begin(): Promise<void> {
    await this.#writing?.begin();
  }

  /** Whoever was let go of, or has a new grant, may write again. */
  async enterAgain(): Promise<void> {
    await this.#roster.open();
    if (this.#roster.standing !== "out") return;
    await this.#roster.enter();
    this.#againAtMs = -Infinity;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    return await this.#writing?.step(signal) ?? "idle";
  }

  /** What others wrote, and who they are. */
  async stepKin(signal: AbortSignal): Promise<"busy" | "idle"> {
    if (this.#writing === undefined) return "idle";
    if (this.isForMany) await this.#roster.step(signal);
    const part = await this.#meet();
    return part === undefined ? "idle" : await this.#kin.step(part, signal);
  }

  async flush(timeoutMs: number): Promise<void> {
    await this.#writing?.flush(timeoutMs);
  }

  /** Of what was written here and is here no more, or on another device. */
  async fetch(cid: Cid, options: { readonly signal?: AbortSignal }): Promise<Uint8Array> {
    for (const from of [this.#shown, this.#kin]) {
      try {
        if (from !== undefined) return await from.fetch(cid, options);
      } catch (error) {
        if (!isFault(error, "NotFound")) throw error;
      }
    }
    throw new HiveError("NotFound", "sharing.hand", cid);
  }

  async end(): Promise<void> {
    await this.#first.end();
    await this.#own.end();
  }

  async #choose(): Promise<Way> {
    const hasBegun = await this.#claim.hasBegun();
    if (!this.#needs.isFurther || hasBegun) {
      await this.#claim.settle();
      const { rival } = this.#claim;
      if (rival === null) return "first";
      const isStuck = hasBegun || !this.isForMany;
      if (isStuck) return this.#hold("held first", heldWords(rival, { hasBegun }));
    }
    if (this.#roster.standing === "out") return this.#hold("held own", goneWords);
    if (this.#roster.standing === "in") return "own";
    return this.isForMany ? await this.#enter() : "reads";
  }

  /** Until it is known who else writes this device reads. */
  async #enter(): Promise<Way> {
    try {
      await this.#roster.enter();
      return "own";
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#againAtMs = this.#needs.clock.monotonicMs() + rosterLookMs;
      return this.#hold("reads", `read only here: ${describe(error)}`);
    }
  }

  #hold(way: Way, words: string): Way {
    this.#trouble = words;
    return way;
  }

  #hear(named: readonly OwnerId[]): void {
    const own = this.#own.right.keys.owner;
    const isNew = !this.#named.has(own) && named.includes(own);
    this.#named = new Set(named);
    if (isNew) this.#own.tellAgain();
  }

  /** What there is of others' blocks here, be it that this device writes no more. */
  async #meet(): Promise<OwnPart | undefined> {
    const { right } = this.#shown ?? {};
    if (right === undefined || this.#payload === undefined) return undefined;
    const part = { right, ino: this.#payload.ino, others: this.#roster.others };
    await this.#kin.know(part);
    return part;
  }

  get #writing(): Writing | undefined {
    if (this.#way === "first") return this.#first;
    return this.#way === "own" ? this.#own : undefined;
  }

  get #shown(): Writing | undefined {
    const way = this.#way;
    if (way === "reads") return undefined;
    return way === "first" || way === "held first" ? this.#first : this.#own;
  }

  get #waiting(): string | null {
    const isNamed = this.#named.has(this.#own.right.keys.owner);
    return this.#way === "own" && !isNamed ? waitingWords : null;
  }

  #rightOf(
    { keys, number }: WriteRight, { isHeld }: { readonly isHeld: boolean },
  ): GuestRight {
    const { deviceName } = this.#needs;
    return { writer: keys.owner, treeSecret: keys.treeSecret, number, deviceName, isHeld };
  }
}

const goneWords = "read only here: this device was let go of; accept the string again to write";
const waitingWords = "what is written here waits until its owner's machine knows of this device";

function heldWords(rival: string, { hasBegun }: { readonly hasBegun: boolean }): string {
  if (hasBegun) {
    return `read only here: ${rival} began at the same time to write by the same right; what was `
      + "written here stays to be read, and can be copied to where it may be written";
  }
  return `read only here: ${rival} writes by the same right, which its owner's version takes from `
    + "one device; he can revoke it and share the folder anew";
}
