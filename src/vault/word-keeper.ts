/**
 * What the vault keeps beside shards: manifests with what is said of their groups, the heads of
 * owners' devices, and the records of shared folders. Of each the newest; whoever brings an older
 * one hears that it is Stale.
 */
import { sameBytes } from "../base/bytes.ts";
import { HiveError } from "../base/errors.ts";
import type { OwnerId, ShareId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Head, Manifest } from "../base/records.ts";
import type { Share } from "../base/sharing.ts";
import { parseShare } from "../crypt/records/share-records.ts";
import type { Standing } from "../guard/log.ts";
import type { Ballot } from "../guard/voter.ts";
import type { Accounts } from "./accounts.ts";
import { dropShare, putClosed, putShare } from "./book-entries.ts";
import type { Books } from "./books.ts";
import type { Groups, Told } from "./groups.ts";
import type { Register } from "./register.ts";
import type { Rolls } from "./rolls.ts";

export interface WordKeeperNeeds {
  readonly books: Books;
  readonly accounts: Accounts;
  readonly groups: Groups;
  readonly register: Register;
  readonly rolls: Rolls;
}

export class WordKeeper {
  readonly #needs: WordKeeperNeeds;
  readonly #register: Register;

  constructor(needs: WordKeeperNeeds) {
    this.#needs = needs;
    this.#register = needs.register;
  }

  async keepManifest(manifest: Manifest, told: Told): Promise<void> {
    const { by } = told;
    await this.#register.seatOwner(manifest.owner);
    using _turn = await this.#register.turn();
    const { accounts } = this.#needs;
    // A full vault still has to learn of a repair: only newcomers need room for their words.
    const known = accounts.owners.has(manifest.owner);
    const { owner, bytes } = manifest;
    using _room = known ? undefined : accounts.reserve(owner, bytes.length, by);
    await this.#register.adopt(manifest, told);
    if (!known) await this.#register.introduce(owner, by);
  }

  /** The text of the policy of the newest manifest, once it came. */
  async keepPolicy(manifest: Manifest, text: Uint8Array): Promise<void> {
    const { groups } = this.#needs;
    const { owner, group, policyHash } = manifest;
    if (groups.hasText(manifest)) return;
    using _turn = await this.#register.turn();
    if ((await groups.manifest(owner, group))?.policyHash !== policyHash) return;
    const { changes, bytes } = await groups.words.putPolicy(manifest, text);
    await this.#register.write(owner, await this.#register.totalsWith(owner, { bytes }), changes);
    groups.rememberText(manifest);
  }

  /** A longer log of the newest manifest, or what it says against ours. */
  async keepLog(standing: Standing): Promise<"kept" | "known" | "forked"> {
    using _turn = await this.#register.turn();
    const { owner } = standing.manifest;
    const longer = await this.#needs.groups.longerLog(standing);
    if (longer === "known" || longer === "forked") return longer;
    const { changes, bytes } = longer;
    await this.#register.write(owner, await this.#register.totalsWith(owner, { bytes }), changes);
    this.#needs.groups.rememberLog(standing);
    return "kept";
  }

  /** On stable storage when it resolves; Stale when a newer manifest has come. */
  async keepBallot(manifest: Manifest, ballot: Ballot): Promise<void> {
    using _turn = await this.#register.turn();
    const here = await this.#needs.groups.manifest(manifest.owner, manifest.group);
    const isNewest = here !== undefined && sameBytes(here.bytes, manifest.bytes);
    if (!isNewest) throw new HiveError("Stale", "vault.ballot", manifest.group);
    await this.#needs.books.batch([this.#needs.groups.words.putBallot(manifest, ballot)]);
  }

  async keepHead(head: Head): Promise<void> {
    using _turn = await this.#register.turn();
    const { accounts } = this.#needs;
    if (!accounts.owners.has(head.owner)) throw new HiveError("Denied", "vault.head", head.owner);
    this.#needs.rolls.check({ owner: head.owner, by: head.peer });
    const heads = await this.#needs.books.heads(head.owner);
    const stored = heads.find(({ peer }) => peer === head.peer);
    if (stored !== undefined && sameBytes(stored.bytes, head.bytes)) return;
    // Silence would tell a device whose books are old that its head is safe here. No device uses a
    // number twice, so of two heads with one number the later comes from a device that fell behind.
    if (stored !== undefined && stored.sequence >= head.sequence) {
      throw new HiveError("Stale", "vault.head", `sequence ${head.sequence}`);
    }
    if (stored === undefined && heads.length >= limits.devices.countMax) {
      throw new HiveError("Quota", "vault.head", `${heads.length} devices`);
    }
    const bytes = head.bytes.length - (stored?.bytes.length ?? 0);
    const totals = await this.#register.totalsWith(head.owner, { bytes });
    await this.#register.write(head.owner, totals, await this.#needs.books.changesFor(head));
  }

  /**
   * The newest state of a shared folder, and who may read it from now on. A guest's is paid for by
   * the folder's owner, where the guest has nothing else here. Answers which one made room for it.
   */
  async keepShare(share: Share, host: OwnerId): Promise<ShareId | undefined> {
    using _turn = await this.#register.turn();
    const { accounts } = this.#needs;
    const { owner } = share;
    const payer = accounts.owners.has(owner) ? owner : host;
    if (!accounts.owners.has(payer)) throw new HiveError("Denied", "vault.share", owner);
    const stored = await this.#needs.books.share(owner, share.share);
    if (stored !== undefined && sameBytes(stored, share.bytes)) return undefined;
    // No number is used twice: whoever brings an older one would take a revocation back.
    const lastSequence = stored === undefined
      ? await this.#needs.books.closedUpTo(owner) : parseShare(stored).sequence;
    if (lastSequence >= share.sequence) {
      throw new HiveError("Stale", "vault.share", `sequence ${share.sequence}`);
    }
    const leaving = stored === undefined ? await this.#leavingFor(owner) : undefined;
    const bytes = share.bytes.length - (stored?.length ?? leaving?.bytes.length ?? 0);
    using _room = bytes > 0 ? accounts.reserve(payer, bytes) : undefined;
    const changes = [putShare(share), ...leaving === undefined ? [] : [
      dropShare(owner, leaving.share), putClosed(owner, leaving.sequence),
    ]];
    await this.#register.write(payer, await this.#register.totalsWith(payer, { bytes }), changes);
    return leaving?.share;
  }

  /**
   * There are so many of one owner. One that names nobody makes room, the oldest first: of all that
   * is not here a higher number is asked from then on, so that nobody brings back what it ended.
   */
  async #leavingFor(owner: OwnerId): Promise<Share | undefined> {
    const { books } = this.#needs;
    const shares = await books.shares(owner);
    if (shares.length < limits.vault.sharesPerOwnerMax) return undefined;
    const closed = shares.map(parseShare).filter(({ readers, writers }) => {
      return readers.length === 0 && writers.length === 0;
    });
    const [oldest] = closed.sort((a, b) => a.sequence - b.sequence);
    if (oldest !== undefined) return oldest;
    throw new HiveError("Quota", "vault.share", `${shares.length} shares`);
  }

  /** What a guest wrote of this folder, whose right ended. */
  async dropGuest(guest: OwnerId, { owner, share }: Share): Promise<void> {
    using _turn = await this.#register.turn();
    const { accounts } = this.#needs;
    const stored = await this.#needs.books.share(guest, share);
    if (stored === undefined || accounts.owners.has(guest)) return;
    const totals = await this.#register.totalsWith(owner, { bytes: -stored.length });
    await this.#register.write(owner, totals, [dropShare(guest, share)]);
  }
}
