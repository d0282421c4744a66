/**
 * The other devices on which this machine's person writes in a folder of somebody else's: what each
 * of them wrote is looked for with those who keep it, read where it lies, and handed to this
 * device's tree of the folder, whether the folder's owner is there or not. Keys of the KeyValue:
 *
 *   o/WRITER/k/OTHER  the newest record of that device that is part of this one's tree
 */
import { guestKeys } from "../../base/book-keys.ts";
import type { Cid, Ino, Name, OwnerId, PeerId, PersonId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { SharedRoots } from "../../base/sharing.ts";
import type { FolderRight, WriteRight } from "../../crypt/drive/write-right.ts";
import { dueOf } from "../following/follower.ts";
import { GuestHead, type GuestHeadNeeds, fetchFrom } from "../following/guest-head.ts";
import type { Source } from "../records/opened.ts";
import type { Roster } from "../records/roster.ts";
import { writtenPrefix } from "./numbering.ts";

export interface KinNeeds extends GuestHeadNeeds {
  readonly roots: Pick<SharedRoots, "kin">;
  readonly right: FolderRight;
  readonly grant: Pick<Source, "share">;
  /** Whose devices these are. */
  readonly personId: PersonId;
  /** What the folder is called here. */
  readonly name: Name;
  /** Whoever keeps the owner's shards. */
  readonly owners: () => readonly PeerId[];
}

/** This device's own part. */
export interface OwnPart {
  /** By which it writes. */
  readonly right: WriteRight;
  readonly ino: Ino;
  /** The others that came or went, but for the one that has the right itself. */
  readonly others: Roster;
}

interface Following {
  readonly head: GuestHead;
  isOpen: boolean;
}

export class Kin {
  readonly #needs: KinNeeds;
  #following = new Map<OwnerId, Following>();
  #isKnown = false;
  /** When the last of them came that has told nothing yet. */
  #cameAtMs = -Infinity;

  constructor(needs: KinNeeds) {
    this.#needs = needs;
  }

  /** Some may refer to what this device does not: one that is silent for long is gone. */
  get areAny(): boolean {
    const since = this.#needs.clock.now() - limits.devices.goneMs;
    return !this.#isKnown || this.#cameAtMs > since || [...this.#following.values()].some((one) => {
      return one.isOpen && (one.head.publishedAtMs ?? -Infinity) > since;
    });
  }

  /** Who they are, before any block of theirs is asked for. */
  async know(own: OwnPart): Promise<void> {
    const { right } = this.#needs;
    const known = this.#following;
    const next = new Map<OwnerId, Following>();
    const follow = async (one: WriteRight, isOpen: boolean): Promise<void> => {
      const { owner } = one.keys;
      if (owner === own.right.keys.owner) return;
      const following = known.get(owner) ?? { head: await this.#begin(one), isOpen };
      next.set(owner, Object.assign(following, { isOpen }));
    };
    await follow(right, true);
    for (const [peer, { isIn }] of own.others) await follow(right.of(peer), isIn);
    this.#following = next;
    this.#isKnown = true;
    const came = [...own.others.values()].filter(({ isIn }) => isIn);
    this.#cameAtMs = Math.max(-Infinity, ...came.map(({ atMs }) => atMs));
  }

  /** Waits by itself for who is due, as whoever follows does; so it is idle where nobody is. */
  async step({ right, ino }: OwnPart, signal: AbortSignal): Promise<"busy" | "idle"> {
    const open = [...this.#following.values()].filter(({ isOpen }) => isOpen);
    if (open.length === 0) return "idle";
    const { name, roots, clock } = this.#needs;
    const writer = right.keys.owner;
    for (const head of await dueOf(open.map(({ head }) => head), clock, signal)) {
      await head.look({
        ino,
        take: async ({ payload: { root } }) => {
          await roots.kin({ name, writer, root });
          return true;
        },
      }, signal);
    }
    return "busy";
  }

  /** NotFound when none of them names it. */
  async fetch(cid: Cid, options: { readonly signal?: AbortSignal }): Promise<Uint8Array> {
    return await fetchFrom([...this.#following.values()].map(({ head }) => head), cid, options);
  }

  async #begin(right: WriteRight): Promise<GuestHead> {
    const { grant: { share }, personId, owners } = this.#needs;
    const key = `${writtenPrefix(this.#needs.right)}${guestKeys.kin}${right.keys.owner}`;
    const head = new GuestHead(this.#needs, { right, share, personId, keepers: owners, key });
    // A crash may have come between the tree and these books.
    await head.restore({ again: true });
    return head;
  }
}
