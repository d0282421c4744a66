/** Whom a node meets: its peers and where they are, and the network as the other rooms have it. */
import { systemClock as clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import type { GuardHost, GuardNetwork } from "../base/guard.ts";
import type { PeerId } from "../base/ids.ts";
import type { PeerNetwork } from "../base/network.ts";
import { systemRandom as random } from "../base/random.ts";
import { noOrders } from "../base/traffic.ts";
import { certifier } from "../crypt/certificates.ts";
import type { DriveKeys } from "../crypt/drive.ts";
import { type Peers, openPeers } from "../peers/peers.ts";
import { Places } from "../places/places.ts";
import { limitedHost } from "../traffic/limited-host.ts";
import { limitedNetwork } from "../traffic/limited-network.ts";
import { Traffic } from "../traffic/traffic.ts";
import type { NodeConfig, NodeNeeds } from "./config.ts";
import { countedNetwork } from "./counted.ts";
import type { House } from "./house.ts";

export interface Company {
  readonly peers: Peers;
  readonly places: Places;
  readonly traffic: Traffic;
  /** The peers, on this machine's line; what they hand out to it is told to its ledger. */
  readonly network: PeerNetwork & GuardNetwork;
}

export async function openCompany(
  { log, world, blocks }: NodeNeeds,
  config: NodeConfig,
  { keys, ledger, vault, met, openBooks, driveKeys }: House & {
    readonly driveKeys: DriveKeys | undefined;
  },
  parts: AsyncDisposableStack,
): Promise<Company> {
  const device = { peer: keys.peer, name: config.deviceName };
  const certificates =
    driveKeys === undefined ? () => [] : certifier(driveKeys, device, clock);
  const ipfs = blocks === undefined ? {} : { blocks, fetcher: blocks };
  const people = { clock, random, log, books: await openBooks("peers") };
  const places = parts.use(new Places(people, { ...config, self: keys.peer }));
  const isNear = (peer: PeerId): boolean => places.isNear(peer);
  const traffic = parts.use(new Traffic({ clock, isNear }, config.traffic ?? noOrders));
  const host = limitedHost(vault, { traffic, clock });
  const hosts = { host, guardian: guardHost(met), ledger: ledger.host };
  const needs = { ...people, ...hosts, certificates, places, world, ...ipfs };
  const peers = parts.use(await openPeers(needs, config));
  met.peers = peers;
  // What fellows of a group ask each other is small, and waits for nobody.
  const guard: GuardNetwork["guard"] = (...asked) => peers.guard(...asked);
  const network = { ...limitedNetwork(countedNetwork(peers, ledger.tally), traffic), guard };
  return { peers, places, traffic, network };
}

/** The guardian comes last: it needs all the others. */
function guardHost(met: House["met"]): GuardHost {
  return {
    guard: async (...asked) => {
      if (met.guardian !== undefined) return met.guardian.answers.guard(...asked);
      throw new HiveError("Busy", "node.guard", "starting");
    },
  };
}
