/**
 * What is written in folders of others: as bridge/source.ts and bridge/tree.ts, for several
 * stores and trees at once, each under the key of the right by which it is written. What is not
 * open yet, or no more, has nothing to upload, and tells nothing of what it refers to.
 */
import type { Census, CensusTaker, RoundOptions, UploadRound } from "../base/blocks.ts";
import { HiveError } from "../base/errors.ts";
import type { Cid, OwnerId } from "../base/ids.ts";
import type { Channel, Handlers } from "./channel.ts";
import type { LocalSource } from "./source.ts";

export type GuestSources = (writer: OwnerId) => LocalSource | undefined;
export type GuestCensus = (writer: OwnerId, blocks: number) => Promise<Census | undefined>;

type Asked<T> = readonly [writer: OwnerId, value: T];

export function serveGuests(sources: GuestSources, census: GuestCensus): Handlers {
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
    "guest.lost": serve<readonly Cid[]>((source, cids) => source.lost(cids)),
    "guest.census": (asked) => census(...(asked as Asked<number>)),
  };
}

export function remoteGuest(
  channel: Pick<Channel, "call">, writer: OwnerId,
): { readonly source: LocalSource; readonly census: CensusTaker } {
  const ask = async <T>(name: string, value?: unknown): Promise<T> =>
    (await channel.call(`guest.${name}`, [writer, value])) as T;
  const source: LocalSource = {
    beginRound: (options) => ask<UploadRound | undefined>("beginRound", options),
    place: (cid) => ask("place", cid),
    read: (cid) => ask<Uint8Array>("read", cid),
    placed: (cids) => ask("placed", cids),
    endRound: (root) => ask("endRound", root),
    lost: (cids) => ask("lost", cids),
  };
  return { source, census: { census: (blocks) => ask<Census | undefined>("census", blocks) } };
}
