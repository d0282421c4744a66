/**
 * The vault's books and accounts, changed together and one change at a time: the sums are true of
 * the entries after any crash. Whoever changes something takes a turn first; the methods below are
 * called within one, unless they say otherwise. Who may ask for what was decided before
 * (admission.ts, vault.ts).
 */
import type { KeyChange } from "../base/blocks.ts";
import { Gate } from "../base/gate.ts";
import type { OwnerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Manifest } from "../base/records.ts";
import { parseShare } from "../crypt/records/share-records.ts";
import type { Accounts } from "./accounts.ts";
import * as entries from "./book-entries.ts";
import { type Introduction, type Totals, noTotals } from "./book-entries.ts";
import type { Books } from "./books.ts";
import type { Groups, Told } from "./groups.ts";
import { countOf, restoreWaysBack } from "./recount.ts";

const kinds = ["log", "policy", "ballot"] as const;

export interface RegisterNeeds {
  readonly books: Books;
  readonly accounts: Accounts;
  readonly groups: Groups;
}

export class Register {
  readonly #needs: RegisterNeeds;
  /** Whoever changes files or books; short, so its queue is whoever is in the house. */
  readonly #turn = new Gate({ seats: 1, queueMax: 4 * limits.vault.storeQueueMax });

  constructor(needs: RegisterNeeds) {
    this.#needs = needs;
  }

  /** Until this is disposed of, nobody else changes anything. */
  turn(): Promise<Disposable> {
    return this.#turn.enter();
  }

  /**
   * What the owner's totals become. A disk that lost some of the books, or a guest whose words his
   * host paid for, may leave sums that cannot be: then they are counted anew.
   */
  async totalsWith(owner: OwnerId, change: Partial<Totals>): Promise<Totals> {
    const { accounts, books } = this.#needs;
    if (!accounts.bears(owner, change)) await this.#recount(owner);
    if (!accounts.bears(owner, change)) {
      await restoreWaysBack(books);
      await this.#recount(owner);
    }
    return accounts.with(owner, change);
  }

  async #recount(owner: OwnerId): Promise<void> {
    const { accounts, books } = this.#needs;
    accounts.set(owner, await countOf(books, owner, (other) => accounts.owners.has(other)));
  }

  /** These changes, and the owner's totals as they shall be, in one batch. */
  async write(owner: OwnerId, totals: Totals, changes: readonly KeyChange[]): Promise<void> {
    const gone = totals.bytes === 0 ? [entries.dropIntroduction(owner)] : [];
    await this.#needs.books.batch([...changes, ...gone, entries.putTotals(owner, totals)]);
    this.#needs.accounts.set(owner, totals);
  }

  /** The manifest, if it is newer than what is here. */
  async adopt(manifest: Manifest, told: Told): Promise<void> {
    const { changes, groups, bytes } = await this.#needs.groups.adoption(manifest, told);
    if (changes.length === 0) return;
    const totals = await this.totalsWith(manifest.owner, { groups, bytes });
    await this.write(manifest.owner, totals, changes);
    this.#needs.groups.remember(manifest);
  }

  /** Notes who brought the owner, when that is new. */
  async introduce(owner: OwnerId, from: Introduction): Promise<void> {
    const { accounts } = this.#needs;
    const by = accounts.introductionOf(owner, from);
    if (accounts.isIntroduced(owner, by)) return;
    await this.#needs.books.batch([entries.putIntroduction(owner, by)]);
    accounts.introduce(owner, by);
  }

  /** Without a turn. Words without shards cost nothing to send: they make room for a newcomer. */
  async seatOwner(owner: OwnerId): Promise<void> {
    const { accounts } = this.#needs;
    if (accounts.hasSeatFor(owner)) return;
    using _turn = await this.turn();
    const idle = accounts.idleOwner();
    if (idle === undefined || accounts.hasSeatFor(owner)) return;
    const groups = await this.#needs.books.groups(idle);
    const words = groups.flatMap((group) => [
      entries.dropManifest(idle, group),
      ...kinds.map((kind) => entries.dropWord(kind, idle, group)),
    ]);
    const heads = await this.#needs.books.heads(idle);
    const shares = await this.#needs.books.shares(idle);
    const forgotten = shares.map(parseShare).flatMap(({ share, writers }) => {
      const guests = writers.map(({ writer }) => writer);
      return [idle, ...guests].map((one) => entries.dropShare(one, share));
    });
    const said = [entries.dropClosed(idle), ...entries.dropHeads(idle, heads)];
    await this.write(idle, noTotals, [...words, ...forgotten, ...said]);
    for (const group of groups) this.#needs.groups.forget(`${idle}/${group}`);
  }
}
