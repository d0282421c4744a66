/**
 * The certificate by which a device's peer key may act for a drive, or for a person, renewed at
 * every greeting by whoever has the key; a device that was added has one that lasts.
 */
import type { Clock } from "../../base/clock.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { DeviceCertificate } from "../../base/records.ts";
import type { DriveKeys } from "../drive/drive.ts";
import { signDeviceCertificate } from "./records.ts";

export type OwnerSigner = Pick<DriveKeys, "owner" | "sign" | "certificate">;

/** Not yet half-way to its end, and from no future that is none. */
export function isFresh(
  { expiresAtMs }: DeviceCertificate,
  { nowMs, lifeMs }: { readonly nowMs: number; readonly lifeMs: number },
): boolean {
  const restMs = expiresAtMs - nowMs;
  return restMs > lifeMs / 2 && restMs <= lifeMs;
}

/** Signs afresh when the last one is half-way to its end, or from a future that is none. */
export function certifier(
  keys: OwnerSigner,
  device: { readonly peer: PeerId; readonly name: string },
  clock: Clock,
): () => readonly DeviceCertificate[] {
  const { certificate } = keys;
  if (certificate !== undefined) return () => [certificate];
  let last: DeviceCertificate | undefined;
  return () => {
    const nowMs = clock.now();
    const { certificateMs: lifeMs } = limits.crypt;
    if (last === undefined || !isFresh(last, { nowMs, lifeMs })) {
      const expiresAtMs = nowMs + lifeMs;
      last = signDeviceCertificate(keys, { ...device, issuedAtMs: nowMs, expiresAtMs });
    }
    return [last];
  };
}
