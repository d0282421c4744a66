/**
 * The groups of which this vault keeps shards, as its books have them: the newest manifest that
 * came, and what the members made of it. It decides what becomes of an older one; whoever takes
 * it in writes it down, within a turn.
 */
import { sameBytes } from "../base/bytes.ts";
import { HiveError } from "../base/errors.ts";
import type { GroupId, OwnerId, PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Manifest } from "../base/records.ts";
import { parseManifest, supersedes } from "../crypt/records/records.ts";
import { type GroupLog, type Standing, forkOf } from "../guard/log.ts";
import { type Ballot, newcomersBallot } from "../guard/voter.ts";
import type { Accounts } from "./accounts.ts";
import { type Introduction, dropManifest, putManifest } from "./book-entries.ts";
import { type Books, firstOf } from "./books.ts";
import { GroupWords, type Weighed } from "./group-words.ts";
import type { Rolls } from "./rolls.ts";

/** Who tells of a manifest, and with which log. */
export interface Told {
  readonly by: Introduction;
  readonly isOwners: boolean;
  readonly log: GroupLog;
}

export interface GroupNeeds {
  readonly books: Books;
  readonly accounts: Accounts;
  readonly rolls: Rolls;
  readonly self: PeerId;
}

export class Groups {
  readonly words: GroupWords;
  readonly #needs: GroupNeeds;
  /** By owner and group: what was parsed lately. */
  readonly #manifests = new Map<string, Manifest>();
  readonly #logs = new Map<string, GroupLog>();
  /** Likewise: the hash of the policy whose text is known to be in the books. */
  readonly #texts = new Map<string, string>();

  constructor(needs: GroupNeeds) {
    this.#needs = needs;
    this.words = new GroupWords(needs.books);
  }

  /** The newest manifest of the group that came here. */
  async manifest(owner: OwnerId, group: GroupId): Promise<Manifest | undefined> {
    const key = `${owner}/${group}`;
    const parsed = this.#manifests.get(key);
    if (parsed !== undefined) return parsed;
    const bytes = await this.#needs.books.manifest(owner, group);
    if (bytes === undefined) return undefined;
    const manifest = parseManifest(bytes);
    // Another may have come while this one was read.
    return this.#manifests.get(key) ?? this.remember(manifest);
  }

  /** The same, with what the members made of it. */
  async standing(owner: OwnerId, group: GroupId): Promise<Standing | undefined> {
    const manifest = await this.manifest(owner, group);
    if (manifest === undefined) return undefined;
    const key = `${owner}/${group}`;
    const log = this.#logs.get(key) ?? await this.words.log(manifest);
    // Another manifest may have come while the log was read.
    const newest = await this.manifest(owner, group);
    const isNewest = newest !== undefined && sameBytes(newest.bytes, manifest.bytes);
    if (!isNewest) return this.standing(owner, group);
    this.#logs.set(key, log);
    return { manifest, log };
  }

  /** All groups of the owner. */
  async standings(owner: OwnerId): Promise<readonly Standing[]> {
    const found: Standing[] = [];
    for (const group of await this.#needs.books.groups(owner)) {
      const standing = await this.standing(owner, group);
      if (standing !== undefined) found.push(standing);
    }
    return found;
  }

  /** What a longer log comes to; what it says against ours otherwise. */
  async longerLog({ manifest, log }: Standing): Promise<Weighed | "known" | "forked"> {
    const here = await this.standing(manifest.owner, manifest.group);
    if (here === undefined || !sameBytes(here.manifest.bytes, manifest.bytes)) return "known";
    if (forkOf(here.log, log) !== undefined) return "forked";
    return log.length > here.log.length ? this.words.putLog(manifest, log) : "known";
  }

  /** Once it is written. */
  rememberLog({ manifest: { owner, group }, log }: Standing): void {
    this.#logs.set(`${owner}/${group}`, log);
  }

  /** What taking it in comes to, if it is newer than what is here. */
  async adoption(
    manifest: Manifest, told: Told,
  ): Promise<Weighed & { readonly groups: number }> {
    const here = await this.manifest(manifest.owner, manifest.group);
    if (here !== undefined && !supersedes(manifest, here)) {
      return { changes: [], groups: 0, bytes: 0 };
    }
    this.#needs.rolls.check(manifest);
    const { groups } = this.#needs.accounts.of(manifest.owner);
    const isFull = here === undefined && groups >= limits.vault.groupsPerOwnerMax;
    const gone = isFull ? await this.#idleGroup(manifest.owner) : undefined;
    if (isFull && gone === undefined) {
      throw new HiveError("Quota", "vault.manifest", `${groups} groups`);
    }
    const forgotten = gone === undefined ? [] : [dropManifest(gone.owner, gone.group)];
    const before = gone ?? here;
    const ended = before && await this.words.end(before, here && manifest);
    // Who hears of a group from its members may have been one, and have forgotten what it said.
    const isDoubtful = here === undefined && !told.isOwners;
    const doubtful = isDoubtful ? this.#newcomers(manifest, told) : undefined;
    const ballot = doubtful === undefined ? [] : [this.words.putBallot(manifest, doubtful)];
    return {
      changes: [...ended?.changes ?? [], putManifest(manifest), ...forgotten, ...ballot],
      groups: before === undefined ? 1 : 0,
      bytes: manifest.bytes.length - (before?.bytes.length ?? 0) + (ended?.bytes ?? 0),
    };
  }

  #newcomers(manifest: Manifest, { log }: Told): Ballot {
    return newcomersBallot({ manifest, log }, this.#needs.self);
  }

  /** One that keeps nothing here: its owner placed all of it elsewhere, or tells of it again. */
  async #idleGroup(owner: OwnerId): Promise<Manifest | undefined> {
    for (const { manifest } of await this.standings(owner)) {
      const { group } = manifest;
      const [used] = await firstOf(this.#needs.books.segmentsOf(owner, group, undefined), 1);
      if (used !== undefined) continue;
      this.forget(`${owner}/${group}`);
      return manifest;
    }
    return undefined;
  }

  remember(manifest: Manifest): Manifest {
    const key = `${manifest.owner}/${manifest.group}`;
    this.forget(key);
    this.#manifests.set(key, manifest);
    const [oldest] = this.#manifests.keys();
    const full = this.#manifests.size > limits.vault.manifestsParsedMax;
    if (full && oldest !== undefined) this.forget(oldest);
    return manifest;
  }

  /** True when the text of its policy need not be looked for. */
  hasText({ owner, group, policyHash }: Manifest): boolean {
    return this.#texts.get(`${owner}/${group}`) === policyHash;
  }

  /** Once it is written, and for as long as this manifest is the newest. */
  rememberText({ owner, group, policyHash }: Manifest): void {
    const key = `${owner}/${group}`;
    if (this.#manifests.get(key)?.policyHash === policyHash) this.#texts.set(key, policyHash);
  }

  forget(key: string): void {
    this.#manifests.delete(key);
    this.#logs.delete(key);
    this.#texts.delete(key);
  }
}
