/**
 * What a node answers about shared folders: records are the vault's; a person's key is told to
 * whoever asks, and devices that a reader dismisses are refused from then on.
 */
import type { ShardHost } from "../base/network.ts";
import type { ShareHost } from "../base/sharing.ts";
import { dismissalIn } from "../crypt/devices/dismissals.ts";
import type { PersonKeys } from "../crypt/records/grants.ts";
import type { Dismissed } from "./dismissed.ts";

export function shareHost(
  vault: ShareHost & Pick<ShardHost, "records">,
  { person, dismissed }: {
    readonly person: PersonKeys | undefined; readonly dismissed: Dismissed;
  },
): ShareHost {
  return {
    async share(from, act, payload) {
      if (act === "key" && person !== undefined) return person.sealPublic;
      const told = act === "write" ? dismissalIn(payload) : undefined;
      if (told === undefined) return await vault.share(from, act, payload);
      await dismissed.hear(from, told, vault);
      return Buffer.alloc(0);
    },
  };
}
