/**
 * The groups of this vault as a guardian needs them: who sits in which, what was accepted, its own
 * ballot, and whose shards lie here. What others tell is let in here as a store is: by what the
 * owner and the members signed, and by the owner's policy.
 */
import { HiveError, isFault } from "../base/errors.ts";
import type { OwnerId, PeerId, SegmentId } from "../base/ids.ts";
import type { Log } from "../base/log.ts";
import type { Requester } from "../base/network.ts";
import type { Head, Manifest, SegmentRecord } from "../base/records.ts";
import { parseHead, parseSegmentRecord, supersedes } from "../crypt/records/records.ts";
import { type Standing, seatsOf, standingOf } from "../guard/log.ts";
import type { GroupName, Word } from "../guard/messages.ts";
import { type Ballot, never } from "../guard/voter.ts";
import { hashOfPolicy } from "../placement/language/policy-hash.ts";
import { type Policy, defaultPolicy } from "../placement/language/policy.ts";
import type { Accounts } from "./accounts.ts";
import { introductionBy, isMember, isPartner } from "./admission.ts";
import type { Books } from "./books.ts";
import type { Groups } from "./groups.ts";
import type { Rolls } from "./rolls.ts";
import { type SeatPolicy, readPolicy } from "./seat-policy.ts";
import type { WordKeeper } from "./word-keeper.ts";

export interface GroupShelf {
  /** Those in which this node has a seat, or had it by the manifest. */
  all(): Promise<readonly Standing[]>;
  find(name: GroupName): Promise<Standing | undefined>;
  /** The owner's machines that have published heads, but for those that were shut out. */
  devicesOf(owner: OwnerId): Promise<ReadonlySet<PeerId>>;
  /** Takes in what somebody tells of a group, if it is more than was known. */
  tell(from: Requester, word: Word): Promise<void>;
  /** What a newcomer has to be told. */
  word(standing: Standing): Promise<Word>;
  /** Undefined when its text never came. */
  policyOf(manifest: Manifest): Promise<Policy | undefined>;
  ballot(manifest: Manifest): Promise<Ballot>;
  /** On stable storage when it resolves. */
  keepBallot(manifest: Manifest, ballot: Ballot): Promise<void>;
  /** The segments of which shards of this group lie here, in order, behind the given one. */
  records(name: GroupName, after?: SegmentId): AsyncIterable<SegmentRecord>;
}

export interface ShelfNeeds {
  readonly books: Books;
  readonly groups: Groups;
  readonly words: WordKeeper;
  readonly accounts: Accounts;
  readonly seatPolicy: SeatPolicy;
  readonly rolls: Pick<Rolls, "isRemoved">;
  readonly self: PeerId;
  readonly log: Log;
}

const builtIn = hashOfPolicy(defaultPolicy);

export class Shelf implements GroupShelf {
  readonly #needs: ShelfNeeds;

  constructor(needs: ShelfNeeds) {
    this.#needs = needs;
  }

  async all(): Promise<readonly Standing[]> {
    const { accounts, books, self } = this.#needs;
    const found: Standing[] = [];
    for (const owner of accounts.owners.keys()) {
      for (const group of await books.groups(owner)) {
        const standing = await this.find({ owner, group });
        if (standing !== undefined && isMember(standing, self)) found.push(standing);
      }
    }
    return found;
  }

  find({ owner, group }: GroupName): Promise<Standing | undefined> {
    return this.#needs.groups.standing(owner, group);
  }

  async devicesOf(owner: OwnerId): Promise<ReadonlySet<PeerId>> {
    const { books, rolls } = this.#needs;
    const peers = (await books.heads(owner)).map(({ peer }) => peer);
    return new Set(peers.filter((peer) => !rolls.isRemoved(owner, peer)));
  }

  async tell(from: Requester, word: Word): Promise<void> {
    const { manifest, policy } = word;
    const told = standingOf(manifest, word.log);
    await this.#admit(from, told, policy);
    const { owner } = manifest;
    const isOwners = from.owners.includes(owner);
    const by = introductionBy(from, owner);
    await this.#needs.words.keepManifest(manifest, { by, isOwners, log: told.log });
    if (policy !== undefined) await this.#needs.words.keepPolicy(manifest, policy);
    if (await this.#needs.words.keepLog(told) === "forked") await this.#abstain(manifest);
    if (word.head?.owner === owner) await this.#keepHead(word.head);
  }

  async word(standing: Standing): Promise<Word> {
    const { groups, books } = this.#needs;
    const policy = await groups.words.policy(standing.manifest);
    const head = await books.head(standing.manifest.owner);
    return { ...standing, policy, head: head === undefined ? undefined : parseHead(head) };
  }

  /** An older one than ours is what somebody who was away knows. */
  async #keepHead(head: Head): Promise<void> {
    try {
      await this.#needs.words.keepHead(head);
    } catch (error) {
      if (!isFault(error, "Stale")) throw error;
    }
  }

  async policyOf(manifest: Manifest): Promise<Policy | undefined> {
    if (manifest.policyHash === builtIn) return defaultPolicy;
    const text = await this.#needs.groups.words.policy(manifest);
    return text === undefined ? undefined : readPolicy(text);
  }

  ballot(manifest: Manifest): Promise<Ballot> {
    return this.#needs.groups.words.ballot(manifest);
  }

  keepBallot(manifest: Manifest, ballot: Ballot): Promise<void> {
    return this.#needs.words.keepBallot(manifest, ballot);
  }

  async *records({ owner, group }: GroupName, after?: SegmentId): AsyncIterable<SegmentRecord> {
    const { books } = this.#needs;
    for await (const segment of books.segmentsOf(owner, group, after)) {
      const kept = await books.record(owner, segment);
      if (kept !== undefined) yield parseSegmentRecord(kept.bytes);
    }
  }

  /** Denied: not for this peer, or not from that one, or not by the policy. */
  async #admit(from: Requester, told: Standing, policy: Uint8Array | undefined): Promise<void> {
    const { self, seatPolicy } = this.#needs;
    const { manifest } = told;
    const here = await this.find(manifest);
    const isKnown = here !== undefined || isMember(told, self);
    const { owner } = manifest;
    const isRight = isPartner(from, owner, told) || isPartner(from, owner, here);
    if (!isKnown || !isRight) throw new HiveError("Denied", "vault.tell", manifest.group);
    if (here !== undefined && supersedes(here.manifest, manifest)) {
      throw new HiveError("Stale", "vault.tell", `manifest epoch ${manifest.epoch}`);
    }
    const peers = seatsOf(told);
    if (peers.includes(self)) seatPolicy.check(self, { ...manifest, peers }, policy);
  }

  /** Two logs, each of a majority: somebody voted twice. Only the owner can tell which is right. */
  async #abstain(manifest: Manifest): Promise<void> {
    const { group } = manifest;
    this.#needs.log.warn("vault.log.forked", { group, epoch: manifest.epoch });
    const ballot = await this.ballot(manifest);
    await this.keepBallot(manifest, { ...ballot, from: never });
  }
}
