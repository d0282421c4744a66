/**
 * One folder of somebody else's that this machine's person may read: looks for newer states with
 * those who keep it, whether its owner is there or not, remembers the newest, and never goes back
 * behind it. What it holds is read through `Borrowed`, block by block, when somebody wants it.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import { type Cid, type Name, type PeerId, nameToText } from "../../base/ids.ts";
import { describe } from "../../base/log.ts";
import type { DeviceCertificate } from "../../base/records.ts";
import type { Grant, SharedRoots } from "../../base/sharing.ts";
import type { TakenView } from "../../base/views/sharing.ts";
import type { OwnerSigner } from "../../crypt/records/certificates.ts";
import { type PersonKeys, personKeysOf } from "../../crypt/records/grants.ts";
import { Borrowed } from "../../transfer/reads/borrowed.ts";
import { Follower, askNewer } from "../following/follower.ts";
import type { FollowingNeeds } from "../following/needs.ts";
import { type Held, type OpenedShare, openShare, takeGrant } from "../records/opened.ts";
import { asSigner } from "../records/person-keys.ts";
import { Hand } from "../writing/hand.ts";
import type { GuestTransfers } from "../writing/writing.ts";

export interface TakingNeeds extends Omit<FollowingNeeds, "person"> {
  /** Why nobody is asked just now for what did not come by a link; null where that is done. */
  readonly halt?: () => string | null;
  readonly roots: SharedRoots;
  /** By which this node acts for whoever has these keys. */
  readonly certifier: (keys: OwnerSigner) => () => readonly DeviceCertificate[];
  readonly guests: GuestTransfers;
  readonly deviceName: string;
  /** This device, and whether this drive let go of another. */
  readonly self: PeerId;
  readonly isGone: (device: PeerId) => boolean;
}

/** A grant to this user, or with the seed of the person whom a link makes to her. */
export interface Offered {
  readonly grant: Grant;
  readonly seed?: Uint8Array | undefined;
}

/** The same, opened. */
export interface OwnGrant extends Offered {
  readonly held: Held;
}

export interface TakingParts {
  readonly name: Name;
  readonly held: Held;
  readonly own?: OwnGrant | undefined;
  /** Where it has no grant of its own. */
  readonly isThroughGroup?: boolean;
}

export class Taking {
  readonly name: Name;
  /** By which it is read now. */
  readonly held: Held;
  /** The grant of its own that it has; none where it came through a group alone. */
  own: OwnGrant | undefined;
  readonly blocks: Borrowed;
  readonly follower: Follower;
  /** What writes here, where somebody may. */
  readonly hand: Hand | undefined;
  /** By which this node acts for the person of a link. */
  readonly #acting: () => readonly DeviceCertificate[];
  readonly #needs: TakingNeeds;
  readonly #isOfGroup: boolean;
  #opened: OpenedShare | undefined;
  #isShown = false;
  #isShutOut = false;
  /** Nothing of it is shown any more, whatever is on its way. */
  #isLeft = false;
  #showing: Promise<unknown> = Promise.resolve();

  constructor(needs: TakingNeeds, { name, held, own, isThroughGroup = false }: TakingParts) {
    const { grant, right } = held;
    this.#needs = needs;
    this.#isOfGroup = isThroughGroup;
    this.name = name;
    this.held = held;
    this.own = own;
    const isByLink = own?.seed !== undefined;
    this.#acting = isByLink ? needs.certifier(asSigner(personKeysOf(own.seed))) : () => [];
    this.blocks = new Borrowed({ ...needs, owner: grant.owner });
    this.follower = new Follower(needs, {
      members: () => this.blocks.members(), first: grant.peers,
    });
    this.hand = right && new Hand({
      ...needs, right, grant, name, owners: () => this.blocks.members(),
      isFurther: held.isFurther === true, personId: held.person,
    });
  }

  /** By which this node acts for others than its user. */
  certificates(): readonly DeviceCertificate[] {
    return [...this.#acting(), ...this.hand?.certificates() ?? []];
  }

  get isByLink(): boolean {
    return this.own?.seed !== undefined;
  }

  /** And goes with it. */
  get isThroughGroup(): boolean {
    return this.own === undefined && this.#isOfGroup;
  }

  /** Of who was shut out nothing goes anywhere any more: the store that it lies in is closed. */
  get openHand(): Hand | undefined {
    return this.#isShown ? this.hand : undefined;
  }

  /** Several holders say so. */
  get isShutOut(): boolean {
    return this.#isShutOut;
  }

  /** The newest record; none before the first. */
  get record(): Uint8Array {
    return this.#opened?.record.bytes ?? Buffer.alloc(0);
  }

  /** At a start, with what was known then. */
  async restore(record: Uint8Array): Promise<void> {
    if (record.length === 0) return;
    const opened = openShare(this.held, record, 0);
    // Where it is written there has to be a tree before it is shown.
    if (this.hand === undefined) await this.#show(opened);
    else this.#know(opened);
  }

  /** It needs nobody to be there. */
  async showAgain(): Promise<void> {
    const { hand } = this;
    if (hand === undefined || this.#isShutOut || this.#opened === undefined) return;
    // Another device may have turned out to write it.
    if (this.#isShown && !hand.isUnsettled) return;
    try {
      await this.#show(this.#opened);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#needs.log.debug("sharing.show", { why: describe(error) });
    }
  }

  /** True when there is news to be remembered. */
  async look(signal: AbortSignal): Promise<boolean> {
    const before = this.#opened;
    const halt = this.isByLink ? null : this.#needs.halt?.() ?? null;
    if (halt !== null) {
      this.follower.rest(halt);
      return false;
    }
    this.#isShutOut = await this.follower.look((peer) => this.#ask(peer, signal));
    if (this.#isShutOut) await this.hide();
    return this.#opened !== before;
  }

  /** For good: what it showed last is taken away when that has come. */
  async leave(): Promise<void> {
    this.#isLeft = true;
    await this.#showing;
    await this.hide();
  }

  async hide(): Promise<void> {
    if (!this.#isShown) return;
    this.#isShown = false;
    await this.#needs.roots.shared({ name: this.name, root: undefined });
  }

  view(nameOf: (from: Held["grant"]) => string): TakenView {
    const opened = this.#opened;
    return {
      name: nameToText(this.name),
      from: nameOf(this.held.grant),
      writes: this.hand !== undefined && (this.held.isFurther !== true || this.hand.writes),
      isThroughGroup: this.isThroughGroup,
      stateOf: opened === undefined ? null : new Date(opened.record.publishedAtMs).toISOString(),
      trouble: this.follower.trouble ?? this.hand?.trouble
        ?? (opened === undefined ? "waits for its first state" : null),
    };
  }

  /** Of the owner's, or of what this user wrote, here or elsewhere, and is here no more. */
  async fetch(cid: Cid, options: { readonly signal?: AbortSignal }): Promise<Uint8Array> {
    try {
      return await this.blocks.fetch(cid, options);
    } catch (error) {
      if (this.hand === undefined || !isFault(error, "NotFound")) throw error;
      return await this.hand.fetch(cid, options);
    }
  }

  async #ask(peer: PeerId, signal: AbortSignal): Promise<void> {
    const { grant } = this.held;
    const known = this.#opened?.record.sequence ?? 0;
    const answer = await askNewer(this.#needs.network, { grant, known, peer }, signal);
    if (answer !== undefined) {
      const opened = openShare(this.held, answer, known);
      await this.blocks.refresh(peer, signal);
      await this.#show(opened);
    } else if (!this.#isShown && this.#opened !== undefined) {
      await this.#show(this.#opened);
    }
  }

  /** What it says counts from now on once it is seen: what cannot be merged is asked for again. */
  async #show(opened: OpenedShare): Promise<void> {
    if (this.#isLeft) return;
    const shown = this.#reveal(opened);
    this.#showing = shown.catch(() => undefined);
    await shown;
  }

  async #reveal(opened: OpenedShare): Promise<void> {
    const { name, hand } = this;
    const { record, payload } = opened;
    this.blocks.adopt(payload);
    await hand?.settle(record, payload);
    const right = hand?.right;
    const more = right === undefined ? {} : { right };
    await this.#needs.roots.shared({ name, root: payload.root, ...more });
    this.#know(opened);
    this.#isShown = true;
    await hand?.begin();
  }

  #know(opened: OpenedShare): void {
    this.#opened = opened;
    this.blocks.adopt(opened.payload);
  }
}

/** Denied when it was made for somebody else, or for one whose keys are not here. */
export function ownGrant(person: PersonKeys | undefined, { grant, seed }: Offered): OwnGrant {
  const keys = seed === undefined ? person : personKeysOf(seed);
  if (keys === undefined) throw new HiveError("Denied", "sharing.grant", "her keys are not here");
  return { grant, seed, held: takeGrant(keys, grant) };
}
