/**
 * Devices that act no more for a person who reads folders that are kept here, as she told it
 * (crypt/dismissals.ts). They are remembered in memory alone: what she dismisses is over by itself
 * within hours, and until then she tells it again to whoever began anew.
 */
import { HiveError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Requester } from "../base/network.ts";
import type { DeviceCertificate } from "../base/records.ts";
import type { ShareHost } from "../base/sharing.ts";
import { decodeDismissal } from "../crypt/dismissals.ts";
import { encodeShareAsk } from "../crypt/share-records.ts";

const { dismissedMax } = limits.sharing;

export class Dismissed {
  /** When the last one was signed, by person and device; the one that was heard of last is last. */
  readonly #atMs = new Map<string, number>();

  /** From one of her devices, about a folder that the vault would tell her of; Denied else. */
  async hear(from: Requester, payload: Uint8Array, vault: ShareHost): Promise<void> {
    const { owner, share, dismissal } = decodeDismissal(payload);
    if (!from.owners.includes(dismissal.owner)) {
      throw new HiveError("Denied", "node.dismissed", dismissal.owner);
    }
    // By the records that name her, and nobody else, it is known here that she reads anything.
    const reader = { ...from, owners: [dismissal.owner] };
    const ask = encodeShareAsk({ owner, share, sequence: Number.MAX_SAFE_INTEGER });
    await vault.share(reader, "get", ask);
    this.#remember(dismissal);
  }

  has(certificate: DeviceCertificate): boolean {
    return certificate.issuedAtMs <= (this.#atMs.get(nameOf(certificate)) ?? -Infinity);
  }

  #remember(dismissal: DeviceCertificate): void {
    const name = nameOf(dismissal);
    const atMs = Math.max(dismissal.issuedAtMs, this.#atMs.get(name) ?? 0);
    this.#atMs.delete(name);
    this.#atMs.set(name, atMs);
    const [oldest] = this.#atMs.keys();
    if (this.#atMs.size > dismissedMax && oldest !== undefined) this.#atMs.delete(oldest);
  }
}

function nameOf({ owner, peer }: DeviceCertificate): string {
  return `${owner}/${peer}`;
}
