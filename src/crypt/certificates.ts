/**
 * The certificate by which a device's peer key may act for a drive, or for a person, renewed at
 * every greeting by whoever has the key; a device that was added has one that lasts.
 */
import type { Clock } from "../base/clock.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { DeviceCertificate } from "../base/records.ts";
import type { DriveKeys } from "./drive.ts";
import { signDeviceCertificate } from "./records.ts";

export type OwnerSigner = Pick<DriveKeys, "owner" | "sign" | "certificate">;

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
    const restMs = last === undefined ? 0 : last.expiresAtMs - nowMs;
    const { certificateMs } = limits.crypt;
    const fresh = restMs > certificateMs / 2 && restMs <= certificateMs;
    if (last === undefined || !fresh) {
      const expiresAtMs = nowMs + certificateMs;
      last = signDeviceCertificate(keys, { ...device, issuedAtMs: nowMs, expiresAtMs });
    }
    return [last];
  };
}
