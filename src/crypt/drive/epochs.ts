/**
 * The secrets under which a drive goes on after a device was shut out of it, one for each epoch:
 * the number of devices that were. Whoever has one has those of all epochs before, so a device that
 * stays is told one secret and still opens all that is older; of later ones it tells nothing.
 *
 *   last    derive(seed, "drive/epochs"): the secret of epoch `epochsMax`
 *   before  derive(secret, "epoch"): that of the epoch before
 *
 *   drive/head   label of an epoch's head key, from its secret; that of epoch 0 comes from the seed
 *   drive/tree   label of what chunks are sealed with in an epoch, from its secret; likewise
 */
import { assert } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { deriveKey } from "../ciphers/keys.ts";

export const { removedMax: epochsMax } = limits.devices;

/** For whoever has the seed. */
export function epochSecretOf(seed: Uint8Array, epoch: number): Buffer {
  return earlierSecret(deriveKey(seed, "drive/epochs"), { from: epochsMax, to: epoch });
}

/** The secret of an epoch from that of a later one. */
export function earlierSecret(
  secret: Buffer, { from, to }: { readonly from: number; readonly to: number },
): Buffer {
  assert(0 <= to && to <= from && from <= epochsMax, `epoch ${to} from ${from}`);
  let found = secret;
  for (let epoch = from; epoch > to; epoch--) found = deriveKey(found, "epoch");
  return found;
}

/** What chunks that are written in this epoch are sealed with. */
export function treeSecretOf(secret: Uint8Array): Buffer {
  return deriveKey(secret, "drive/tree");
}
