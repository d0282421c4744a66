/** A policy's text as plain values for people and scripts, or the fault that it has. Pure. */
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { erasureClasses } from "../../base/records.ts";
import type { PolicyTexts } from "../../base/views/policies.ts";
import { isOfPolicy } from "../draws/classes.ts";
import { canonicalPolicy, hashOfPolicy } from "../language/policy-hash.ts";
import { parsePolicy } from "../language/policy-parse.ts";
import { type Policy, defaultPolicy } from "../language/policy.ts";

export interface PolicyDescription {
  readonly name: string;
  readonly class: string;
  /** What manifests carry. */
  readonly hash: string;
  /** One text for all policies that mean the same. */
  readonly canonical: string;
}

/** Invalid for a text that is no policy, and for one that no class can ever satisfy. */
export function describePolicy(text: string): PolicyDescription {
  const { name, policy } = parsePolicy(text);
  if (erasureClasses.every((erasureClass) => !isOfPolicy(erasureClass, policy))) {
    throw new HiveError("Invalid", "policy.check", `${name}: no class promises what it asks for`);
  }
  const { class: className } = policy;
  const canonical = canonicalPolicy(policy);
  if (Buffer.byteLength(canonical) > limits.policy.canonicalBytesMax) {
    throw new HiveError("Invalid", "policy.check", `${name}: too long to be told to holders`);
  }
  return { name, class: className, hash: hashOfPolicy(policy), canonical };
}

/** The policies of texts; without one for the whole drive, the built-in one holds. */
export function policiesOf({ drive, named }: Pick<PolicyTexts, "drive" | "named">): {
  readonly drive: Policy; readonly driveName: string | undefined;
  readonly named: ReadonlyMap<string, Policy>;
} {
  const told = drive === undefined ? undefined : parsePolicy(drive);
  const others = Object.entries(named).map(([name, text]) => {
    return [name, parsePolicy(text).policy] as const;
  });
  return {
    drive: told?.policy ?? defaultPolicy, driveName: told?.name, named: new Map(others),
  };
}
