/**
 * The policies in force, each under its name, and those that older groups were drawn under. What a
 * manifest has is a hash; the text behind it, and the name that a group was drawn for, stand here:
 * a text that is edited under the same name governs the same groups. Keys of the KeyValue:
 *
 *   r/HASH  a canonical text      q/GROUP  the name that a group was drawn for
 */
import type { KeyChange, KeyValue } from "../../base/blocks.ts";
import { transferKeys } from "../../base/book-keys.ts";
import { isFault } from "../../base/errors.ts";
import { type GroupId, parseGroupId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Manifest } from "../../base/records.ts";
import { canonicalPolicy, hashOfPolicy } from "../../placement/language/policy-hash.ts";
import { parseCanonical } from "../../placement/language/policy-parse.ts";
import { type Policy, defaultPolicy } from "../../placement/language/policy.ts";

const textPrefix = transferKeys.policyText;
const namePrefix = transferKeys.policyOfGroup;

/** The name of what is said for the whole drive: no policy of the user's can be called so. */
export const wholeDrive = "";

/** What is in force now: for the whole drive, and under the names that parts of it may go by. */
export interface InForce {
  readonly drive: Policy;
  /** What the user calls the drive's; undefined for the one that is built in. */
  readonly driveName?: string | undefined;
  readonly named: ReadonlyMap<string, Policy>;
}

export class Policies {
  readonly #needs: { readonly books: KeyValue; readonly log: Log };
  readonly #known = new Map<string, Policy>();
  readonly #names = new Map<GroupId, string>();
  #inForce: InForce;

  constructor(needs: { readonly books: KeyValue; readonly log: Log }, inForce: InForce) {
    this.#needs = needs;
    this.#inForce = inForce;
    this.govern(inForce);
  }

  /** Reads those that a manifest still names, and forgets the others. */
  async open(manifests: readonly Manifest[]): Promise<void> {
    const { books } = this.#needs;
    const hashes = new Set(manifests.map(({ policyHash }) => policyHash));
    const groups = new Set<string>(manifests.map(({ group }) => group));
    const strays: string[] = [];
    for await (const [key, value] of books.list(textPrefix)) {
      const hash = key.slice(textPrefix.length);
      if (hashes.has(hash)) this.#learn(hash, value);
      else strays.push(key);
    }
    for await (const [key, value] of books.list(namePrefix)) {
      const group = key.slice(namePrefix.length);
      const name = Buffer.from(value).toString("utf8");
      if (groups.has(group)) this.#names.set(parseGroupId(group), name);
      else strays.push(key);
    }
    if (strays.length > 0) await books.batch(strays.map((key) => ({ type: "delete", key })));
  }

  /** From now on these are in force. */
  govern(inForce: InForce): void {
    this.#inForce = inForce;
    for (const policy of [defaultPolicy, inForce.drive, ...inForce.named.values()]) {
      this.#known.set(hashOfPolicy(policy), policy);
    }
  }

  /** Every name that is in force. */
  names(): readonly string[] {
    return [wholeDrive, ...this.#inForce.named.keys()];
  }

  /** Undefined for a name that nothing is in force under. */
  named(name: string): Policy | undefined {
    return name === wholeDrive ? this.#inForce.drive : this.#inForce.named.get(name);
  }

  /** What people call it. */
  labelOf(name: string): string {
    return name === wholeDrive ? this.#inForce.driveName ?? "the built-in one" : name;
  }

  /** The name that the group was drawn for. */
  nameOf(group: GroupId): string {
    return this.#names.get(group) ?? wholeDrive;
  }

  /**
   * What holds for a group now: what is in force under its name, or the policy that it was drawn
   * under when nothing is. Undefined when that text was lost, too. On a machine that recovers a
   * drive without the user's files, the built-in policy was chosen by nobody: what was drawn under
   * another one that is not known here must not be relaxed to it.
   */
  governing(manifest: Pick<Manifest, "group" | "policyHash">): Policy | undefined {
    const name = this.nameOf(manifest.group);
    const drawnUnder = this.of(manifest);
    const isChosen = name !== wholeDrive || this.#inForce.driveName !== undefined;
    if (!isChosen && drawnUnder === undefined) return undefined;
    return this.named(name) ?? drawnUnder;
  }

  /**
   * Remembers what a group was drawn for. On a machine that recovers a drive nothing tells: what
   * has the hash of a policy in force under one name is taken to be of that name.
   */
  naming(
    manifest: Pick<Manifest, "group" | "policyHash">, name?: string,
  ): readonly KeyChange[] {
    const { group, policyHash } = manifest;
    if (this.#names.has(group)) return [];
    const alike = [...this.#inForce.named].filter(([, one]) => hashOfPolicy(one) === policyHash);
    const isDrives = hashOfPolicy(this.#inForce.drive) === policyHash;
    const guessed = alike.length === 1 && !isDrives ? alike[0]?.[0] : wholeDrive;
    const found = name ?? guessed ?? wholeDrive;
    if (found === wholeDrive) return [];
    this.#names.set(group, found);
    return [{ type: "put", key: namePrefix + group, value: Buffer.from(found, "utf8") }];
  }

  /** Of a group that is no more. */
  unnaming(group: GroupId): readonly KeyChange[] {
    this.#names.delete(group);
    return [{ type: "delete", key: namePrefix + group }];
  }

  /** Undefined for one that was made on another machine, whose text was lost. */
  of({ policyHash }: Pick<Manifest, "policyHash">): Policy | undefined {
    return this.#known.get(policyHash);
  }

  /**
   * What travels with a manifest, so that its members can judge for themselves. Everybody has the
   * one that is built in; one that is too long for a message stays here.
   */
  travelling(manifest: Pick<Manifest, "policyHash">): Uint8Array | undefined {
    const [change] = this.textOf(manifest);
    const text = change?.type === "put" ? change.value : undefined;
    return (text?.length ?? Infinity) <= limits.policy.canonicalBytesMax ? text : undefined;
  }

  /** To be written with a manifest: whoever has one has the text behind its hash. */
  textOf(manifest: Pick<Manifest, "policyHash">): readonly KeyChange[] {
    const policy = this.of(manifest);
    const isBuiltIn = manifest.policyHash === hashOfPolicy(defaultPolicy);
    if (policy === undefined || isBuiltIn) return [];
    const value = Buffer.from(canonicalPolicy(policy), "utf8");
    return [{ type: "put", key: textPrefix + manifest.policyHash, value }];
  }

  /** A text that is not what its hash says is as good as lost. */
  #learn(hash: string, value: Uint8Array): void {
    try {
      const policy = parseCanonical(Buffer.from(value).toString("utf8"));
      if (hashOfPolicy(policy) === hash) this.#known.set(hash, policy);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#needs.log.warn("transfer.policy.spoilt", { hash, fault: describe(error) });
    }
  }
}
