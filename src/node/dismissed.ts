/**
 * Devices that act no more for a person who reads folders that are kept here, as she told it
 * (crypt/devices/dismissals.ts). They are remembered in memory alone: what she dismisses is over by
 * itself within hours, and until then she tells it again now and then.
 */
import { HiveError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Requester, ShardHost } from "../base/network.ts";
import type { DeviceCertificate } from "../base/records.ts";
import type { ToldDismissal } from "../crypt/devices/dismissals.ts";

const { dismissedMax } = limits.sharing;

export class Dismissed {
  /** When the last one was signed, by person and device; the one that was heard of last is last. */
  readonly #atMs = new Map<string, number>();

  /** From one of her devices, about an owner whose records here name her; Denied else. */
  async hear(
    from: Requester, { owner, dismissal }: ToldDismissal, vault: Pick<ShardHost, "records">,
  ): Promise<void> {
    // Of oneself anybody may ask, be it that nothing is here.
    const isReader = from.owners.includes(dismissal.owner) && owner !== dismissal.owner;
    if (!isReader) throw new HiveError("Denied", "node.dismissed", dismissal.owner);
    await vault.records({ ...from, owners: [dismissal.owner] }, owner);
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
