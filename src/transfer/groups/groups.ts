/**
 * The owner's placement groups: has one drawn when enough households are there (drawing.ts), signs
 * its manifest, replaces a member by a new epoch. It sends no shard: `repair` and `upload` fill the
 * new seat.
 *
 * A group is drawn for a name, and the policy that is in force under that name governs it: when the
 * policy changes, or what is known of a member, the group takes no new segments until it is lawful
 * again; law.ts tells how far it is from that. When peers arrive, new segments go to a group of
 * the larger class; the older ones stay readable where they are and keep their class until
 * something writes them anew.
 */
import type { KeyValue } from "../../base/blocks.ts";
import { transferKeys } from "../../base/book-keys.ts";
import { sameBytes } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError, assert } from "../../base/errors.ts";
import { Gate } from "../../base/gate.ts";
import type { GroupId, PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { ErasureClass, Manifest } from "../../base/records.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import { parseManifest, signManifest, supersedes } from "../../crypt/records/records.ts";
import { type Standing, seatsOf } from "../../guard/log.ts";
import type { Manner } from "../../placement/draws/group.ts";
import { hashOfPolicy } from "../../placement/language/policy-hash.ts";
import type { Policy } from "../../placement/language/policy.ts";
import type { Roll } from "../roll.ts";
import { Drawing, type Slot } from "./drawing.ts";
import { Law } from "./law.ts";
import { type LogNeeds, Logs } from "./logs.ts";
import { type InForce, Policies, wholeDrive } from "./policies.ts";
import type { TooFew } from "./waiting.ts";

export interface GroupNeeds {
  readonly network: LogNeeds["network"];
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Who was shut out: what such a device signs is adopted no more. */
  readonly roll: Pick<Roll, "isRemoved">;
}

/** How seats are given to others, and who is dead: what such a member knows is not waited for. */
export interface Giving extends Pick<Manner, "isAsWide"> {
  readonly dead?: ReadonlySet<PeerId>;
}

const nobody: ReadonlySet<PeerId> = new Set();

/** Which groups there are and who sits in them: all that reading takes. */
export interface Seating {
  get(group: GroupId): Manifest | undefined;
  /** As its members made it, as far as that is known. */
  seated(manifest: Manifest): Manifest;
}

export class Groups implements Seating {
  /** How they stand to their policies. */
  readonly law: Law;
  /** What their members did without the owner. */
  readonly logs: Logs;
  readonly #needs: GroupNeeds;
  readonly #policies: Policies;
  readonly #drawing: Drawing;
  readonly #manifests = new Map<GroupId, Manifest>();
  readonly #standings = new Map<GroupId, Standing>();
  readonly #changes = new Gate({ seats: 1, queueMax: limits.transfer.changesQueueMax });

  constructor(
    needs: GroupNeeds, options: { readonly inForce: InForce; readonly settleMs: number },
  ) {
    this.#needs = needs;
    this.#policies = new Policies(needs, options.inForce);
    this.#drawing = new Drawing(needs, options);
    const { network } = needs;
    this.law = new Law({ network, policies: this.#policies, all: () => this.all() });
    this.logs = new Logs({ network, log: needs.log, groups: this });
  }

  async open(): Promise<void> {
    for await (const [, value] of this.#needs.books.list(transferKeys.manifest)) {
      const manifest = parseManifest(value);
      this.#manifests.set(manifest.group, manifest);
    }
    await this.#policies.open(this.all());
  }

  all(): readonly Manifest[] {
    return [...this.#manifests.values()];
  }

  get(group: GroupId): Manifest | undefined {
    return this.#manifests.get(group);
  }

  /** From now on these policies are in force. */
  govern(inForce: InForce): void {
    this.#policies.govern(inForce);
  }

  /** The name that the group was drawn for. */
  nameOf(group: GroupId): string {
    return this.#policies.nameOf(group);
  }

  /** What holds for the group now; undefined when nothing is known of it. */
  governing(manifest: Manifest): Policy | undefined {
    return this.#policies.governing(manifest);
  }

  /** What travels with the manifest, for its members to judge by. */
  policyText(manifest: Manifest): Uint8Array | undefined {
    return this.#policies.travelling(manifest);
  }

  /** Of those online whom the rules of the policy under this name let in. */
  households(name = wholeDrive): number {
    return this.#drawing.households(this.#policyNamed(name));
  }

  /** The group for new segments under the policy of this name, drawn if need be. */
  async forNewSegments(name = wholeDrive): Promise<Manifest | TooFew> {
    const slot = { name, policy: this.#policyNamed(name) };
    const usable = this.#ofToday(slot).filter((manifest) => this.#drawing.isReached(manifest));
    usable.sort((a, b) => b.class.n - a.class.n);
    const best = usable[0];
    const wanted = this.#drawing.wantedClass(slot.policy, best?.class);
    if (wanted !== undefined && wanted.n > (best?.class.n ?? 0) && this.#isSettled(slot, wanted)) {
      const drawn = await this.#draw(slot, { wanted, above: best?.class.n ?? 0 });
      if (drawn !== undefined) return drawn;
    }
    return best ?? this.#drawing.tooFew(slot.policy, wanted);
  }

  /**
   * Gives lost members' seats to others, as far as any can take them; undefined when none can, or
   * it is not known what the members did meanwhile.
   */
  async replace(
    group: GroupId, lost: readonly PeerId[], unfit: ReadonlySet<PeerId>,
    { dead, ...manner }: Giving = {},
  ): Promise<Manifest | undefined> {
    // One at a time: an epoch is signed once.
    using _seat = await this.#changes.enter();
    const manifest = this.#manifests.get(group);
    if (manifest === undefined) return undefined;
    const policy = this.governing(manifest);
    if (policy === undefined) {
      this.#needs.log.warn("transfer.policy.unknown", { group, hash: manifest.policyHash });
      return undefined;
    }
    const wish = { ...manifest, epoch: manifest.epoch + 1, policyHash: hashOfPolicy(policy) };
    const peers = this.#drawing.substituted(wish, { policy, lost, unfit, manner });
    const isChanged = peers.some((peer, at) => peer !== manifest.peers[at]);
    return isChanged ? this.#succeed(manifest, { ...wish, peers }, dead) : undefined;
  }

  /** Says of a lawful group that it is one of the policy that governs it now. */
  async resign(group: GroupId, dead?: ReadonlySet<PeerId>): Promise<Manifest | undefined> {
    using _seat = await this.#changes.enter();
    const manifest = this.#manifests.get(group);
    const policy = manifest === undefined ? undefined : this.governing(manifest);
    if (manifest === undefined || policy === undefined) return undefined;
    const policyHash = hashOfPolicy(policy);
    if (policyHash === manifest.policyHash) return undefined;
    return this.#succeed(manifest, { ...manifest, epoch: manifest.epoch + 1, policyHash }, dead);
  }

  /** Signed, unless it would end what members did meanwhile, or somebody else signed another. */
  async #succeed(
    manifest: Manifest, wish: Omit<Manifest, "owner" | "bytes">, dead = nobody,
  ): Promise<Manifest | undefined> {
    const mayEnd = await this.logs.mayEnd({ manifest, log: [] }, dead);
    return mayEnd && this.#isNewest({ manifest }) ? this.#sign(wish) : undefined;
  }

  /** Of a group that keeps no segment any more. */
  async forget(group: GroupId): Promise<void> {
    await this.#needs.books.batch([
      { type: "delete", key: transferKeys.manifest + group }, ...this.#policies.unnaming(group),
    ]);
    this.#manifests.delete(group);
  }

  /** What the members made of a manifest of ours, as they told it. */
  hear(standing: Standing): void {
    const { group } = standing.manifest;
    const known = this.#standings.get(group)?.log.length ?? 0;
    if (this.#isNewest(standing) && standing.log.length >= known) {
      this.#standings.set(group, standing);
    }
  }

  /** The groups whose members gave seats to others, since this machine signed anything. */
  heard(): readonly Standing[] {
    return [...this.#standings.values()].filter((one) => this.#isNewest(one) && one.log.length > 0);
  }

  /** Who sits where, by the manifest and by what is known of its log. */
  seated(manifest: Manifest): Manifest {
    const standing = this.#standings.get(manifest.group);
    const isOfLog = standing !== undefined && sameBytes(standing.manifest.bytes, manifest.bytes);
    return isOfLog ? { ...manifest, peers: seatsOf(standing) } : manifest;
  }

  /** Makes these the members, if the manifest that they come from is still the newest. */
  async adoptSeats(
    { manifest }: Standing, peers: readonly PeerId[],
  ): Promise<Manifest | undefined> {
    using _seat = await this.#changes.enter();
    if (!this.#isNewest({ manifest })) return undefined;
    return await this.#sign({ ...manifest, epoch: manifest.epoch + 1, peers });
  }

  #isNewest({ manifest }: Pick<Standing, "manifest">): boolean {
    const ours = this.#manifests.get(manifest.group);
    return ours !== undefined && sameBytes(ours.bytes, manifest.bytes);
  }

  /** Signed by a device that was shut out, as far as is known here. */
  isOut({ by }: Manifest): boolean {
    return by !== undefined && this.#needs.roll.isRemoved(by);
  }

  /** Keeps a manifest that was found among the peers, if it is newer than ours. */
  async adopt(manifest: Manifest): Promise<void> {
    assert(manifest.owner === this.#needs.keys.owner);
    if (this.isOut(manifest)) return;
    const ours = this.#manifests.get(manifest.group);
    if (ours !== undefined && !supersedes(manifest, ours)) return;
    await this.#keep(manifest);
  }

  /** Tells one peer, which may have been a member. */
  tellOne(manifest: Manifest, peer: PeerId, signal?: AbortSignal): Promise<void> {
    const policy = this.policyText(manifest);
    return this.#needs.network.putRecord(peer, manifest, {
      ...(signal === undefined ? {} : { signal }), ...(policy === undefined ? {} : { policy }),
    });
  }

  /** Tells members and the DHT; who misses it hears it with the next shard or round. */
  async tell(manifest: Manifest): Promise<void> {
    const { network, log } = this.#needs;
    const sends = manifest.peers.map((peer) => this.tellOne(manifest, peer));
    const results = await Promise.allSettled([...sends, network.publish(manifest)]);
    const missed = results.filter(({ status }) => status === "rejected");
    const first = missed[0];
    if (first === undefined) return;
    const why = first.status === "rejected" ? describe(first.reason) : "";
    log.debug("transfer.manifest.missed", { group: manifest.group, peers: missed.length, why });
  }

  /** To go below a class that is in use takes far longer patience. */
  #isSettled(slot: Slot, wanted: ErasureClass): boolean {
    const isLess = this.#ofPolicy(slot).some((manifest) => manifest.class.n > wanted.n);
    return this.#drawing.isSettled(slot.name, wanted, { isLess });
  }

  async #draw(
    { name, policy }: Slot, wish: { readonly wanted: ErasureClass; readonly above: number },
  ): Promise<Manifest | undefined> {
    if (this.#manifests.size >= limits.transfer.groupsMax) return undefined;
    const drawn = this.#drawing.draw(policy, wish);
    if (drawn === undefined) return undefined;
    return await this.#sign({ ...drawn, epoch: 1, policyHash: hashOfPolicy(policy) }, name);
  }

  /** Drawn for this name, and lawful under the policy that is in force under it now. */
  #ofToday(slot: Slot): readonly Manifest[] {
    return this.law.lawful(this.#ofPolicy(slot));
  }

  #ofPolicy({ name, policy }: Slot): readonly Manifest[] {
    const hash = hashOfPolicy(policy);
    return this.all().filter(({ group, policyHash }) => {
      return policyHash === hash && this.nameOf(group) === name;
    });
  }

  /** A name that nothing is in force under must not fall to another policy. */
  #policyNamed(name: string): Policy {
    const policy = this.#policies.named(name);
    if (policy !== undefined) return policy;
    throw new HiveError("NotFound", "transfer.policy", name);
  }

  async #sign(told: Omit<Manifest, "owner" | "bytes">, name?: string): Promise<Manifest> {
    const { group, epoch, class: erasureClass, policyHash, peers } = told;
    const wish = { group, epoch, class: erasureClass, policyHash, peers };
    const manifest = signManifest(this.#needs.keys, wish);
    await this.#keep(manifest, name);
    return manifest;
  }

  async #keep(manifest: Manifest, name?: string): Promise<void> {
    await this.#needs.books.batch([
      { type: "put", key: transferKeys.manifest + manifest.group, value: manifest.bytes },
      ...this.#policies.textOf(manifest),
      ...this.#policies.naming(manifest, name),
    ]);
    this.#manifests.set(manifest.group, manifest);
  }
}
