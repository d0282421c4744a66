/**
 * The policy that new groups are drawn under, and those that older groups were drawn under: each
 * keeps its own until its data moves. What a manifest has is a hash; the text is kept here.
 */
import type { KeyChange, KeyValue } from "../base/blocks.ts";
import { isFault } from "../base/errors.ts";
import { type Log, describe } from "../base/log.ts";
import type { Manifest } from "../base/records.ts";
import { canonicalPolicy, hashOfPolicy } from "../placement/policy-hash.ts";
import { parseCanonical } from "../placement/policy-parse.ts";
import { type Policy, defaultPolicy } from "../placement/policy.ts";

const prefix = "r/";

export class Policies {
  readonly #needs: { readonly books: KeyValue; readonly log: Log };
  readonly current: Policy;
  readonly currentHash: string;
  readonly #known = new Map<string, Policy>();

  constructor(needs: { readonly books: KeyValue; readonly log: Log }, current: Policy) {
    this.#needs = needs;
    this.current = current;
    this.currentHash = hashOfPolicy(current);
    for (const policy of [defaultPolicy, current]) this.#known.set(hashOfPolicy(policy), policy);
  }

  /** Reads those that a manifest still names, and forgets the others. */
  async open(manifests: Iterable<Manifest>): Promise<void> {
    const { books } = this.#needs;
    const named = new Set([...manifests].map(({ policyHash }) => policyHash));
    const strays: string[] = [];
    for await (const [key, value] of books.list(prefix)) {
      const hash = key.slice(prefix.length);
      if (named.has(hash)) this.#learn(hash, value);
      else strays.push(key);
    }
    if (strays.length > 0) await books.batch(strays.map((key) => ({ type: "delete", key })));
  }

  /** Undefined for one that was made on another machine, whose text was lost. */
  of({ policyHash }: Pick<Manifest, "policyHash">): Policy | undefined {
    return this.#known.get(policyHash);
  }

  /** To be written with a manifest: whoever has one has the text behind its hash. */
  textOf(manifest: Pick<Manifest, "policyHash">): readonly KeyChange[] {
    const policy = this.of(manifest);
    const isBuiltIn = manifest.policyHash === hashOfPolicy(defaultPolicy);
    if (policy === undefined || isBuiltIn) return [];
    const value = Buffer.from(canonicalPolicy(policy), "utf8");
    return [{ type: "put", key: prefix + manifest.policyHash, value }];
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
