/**
 * What is written in folders of others, for upload: as bridge/source.ts, for several stores at
 * once, each under the key of the right by which it is written. A store that is not open yet, or no
 * more, has nothing to upload.
 */
import type { RoundOptions, UploadRound } from "../base/blocks.ts";
import { HiveError } from "../base/errors.ts";
import type { Cid, OwnerId } from "../base/ids.ts";
import type { Channel, Handlers } from "./channel.ts";
import type { LocalSource } from "./source.ts";

export type GuestSources = (writer: OwnerId) => LocalSource | undefined;

type Asked<T> = readonly [writer: OwnerId, value: T];

export function serveGuestSources(sources: GuestSources): Handlers {
  const of = (writer: OwnerId): LocalSource => {
    const source = sources(writer);
    if (source !== undefined) return source;
    throw new HiveError("Unavailable", "bridge.guest", "not open");
  };
  const serve = <T>(act: (source: LocalSource, value: T) => unknown) => async (asked: unknown) => {
    const [writer, value] = asked as Asked<T>;
    return await act(of(writer), value);
  };
  return {
    "guest.beginRound": async (asked) => {
      const [writer, options] = asked as Asked<RoundOptions | undefined>;
      return await sources(writer)?.beginRound(options);
    },
    "guest.place": serve<Cid>((source, cid) => source.place(cid)),
    "guest.read": serve<Cid>((source, cid) => source.read(cid)),
    "guest.placed": serve<readonly Cid[]>((source, cids) => source.placed(cids)),
    "guest.endRound": serve<Uint8Array>((source, root) => source.endRound(root)),
  };
}

export function remoteGuestSource(channel: Pick<Channel, "call">, writer: OwnerId): LocalSource {
  const ask = async <T>(name: string, value?: unknown): Promise<T> =>
    (await channel.call(`guest.${name}`, [writer, value])) as T;
  return {
    beginRound: (options) => ask<UploadRound | undefined>("beginRound", options),
    place: (cid) => ask("place", cid),
    read: (cid) => ask<Uint8Array>("read", cid),
    placed: (cids) => ask("placed", cids),
    endRound: (root) => ask("endRound", root),
  };
}
