/** Whom a node meets: its peers and where they are, and the network as the other rooms have it. */
import { systemClock as clock } from "../base/clock.ts";
import type { DeviceHost, DeviceNetwork } from "../base/devices.ts";
import { HiveError } from "../base/errors.ts";
import type { GuardHost, GuardNetwork } from "../base/guard.ts";
import type { OwnerId, PeerId } from "../base/ids.ts";
import type { PeerNetwork, ShardHost } from "../base/network.ts";
import { systemRandom as random } from "../base/random.ts";
import type { DeviceCertificate } from "../base/records.ts";
import type { ShareHost, ShareNetwork } from "../base/sharing.ts";
import { noOrders } from "../base/traffic.ts";
import type { DriveKeys } from "../crypt/drive/drive.ts";
import { certifier } from "../crypt/records/certificates.ts";
import type { PersonKeys } from "../crypt/records/grants.ts";
import { openPeers } from "../peers/open.ts";
import type { Peers } from "../peers/peers.ts";
import { Places } from "../places/places.ts";
import { asSigner } from "../sharing/records/person-keys.ts";
import { limitedHost } from "../traffic/limited-host.ts";
import { limitedNetwork } from "../traffic/limited-network.ts";
import { Traffic } from "../traffic/traffic.ts";
import type { NodeConfig, NodeNeeds } from "./config.ts";
import { countedNetwork } from "./counted.ts";
import { Dismissed } from "./dismissed.ts";
import type { House } from "./house.ts";
import { rollHost } from "./roll-host.ts";
import { shareHost } from "./share-host.ts";

/** Whose node it is: keys of the drive, and of its person where the drive's seed is. */
export interface Owner {
  readonly keys: DriveKeys;
  readonly person: PersonKeys | undefined;
}

export interface Company {
  readonly peers: Peers;
  readonly places: Places;
  readonly traffic: Traffic;
  /** The peers, on this machine's line; what they hand out to it is told to its ledger. */
  readonly network: PeerNetwork & GuardNetwork & ShareNetwork & DeviceNetwork;
  /** The drives and people that this node may ask for. */
  readonly acting: () => readonly OwnerId[];
  /** What this node answers about shared folders. */
  readonly sharing: ShareHost;
}

export async function openCompany(
  { log, world, blocks, newcomer }: NodeNeeds,
  config: NodeConfig,
  { keys, ledger, vault, met, openBooks, owner }: House & {
    readonly owner: Owner | undefined;
  },
  parts: AsyncDisposableStack,
): Promise<Company> {
  const device = { peer: keys.peer, name: config.deviceName };
  const own = owner === undefined ? [] : [owner.keys, owner.person && asSigner(owner.person)];
  const certifiers = own.filter((one) => one !== undefined)
    .map((one) => certifier(one, device, clock));
  // Whoever took up a link acts for the person whom it makes, too.
  const more = () => met.sharing?.certificates() ?? [];
  const certificates = () => [...certifiers.flatMap((certify) => certify()), ...more()];
  const ipfs = blocks === undefined ? {} : { blocks, fetcher: blocks };
  const people = { clock, random, log, books: await openBooks("peers") };
  const places = parts.use(new Places(people, { ...config, self: keys.peer }));
  const isNear = (peer: PeerId): boolean => places.isNear(peer);
  const traffic = parts.use(new Traffic({ clock, isNear }, config.traffic ?? noOrders));
  const host = listening(limitedHost(vault, { traffic, clock }), met);
  const dismissed = new Dismissed();
  const sharing = shareHost(vault, { person: owner?.person, dismissed });
  const devices = newcomer ?? deviceHost(met, rollHost(vault.rolls, met));
  const hosts = { host, guardian: guardHost(met), ledger: ledger.host, sharing, devices };
  const isRemoved = (certificate: DeviceCertificate): boolean => {
    const { owner: drive, peer } = certificate;
    const isOurs = drive === owner?.keys.owner;
    return vault.rolls.isRemoved(drive, peer) || dismissed.has(certificate)
      || (isOurs && met.transfer?.roll.isRemoved(peer) === true);
  };
  const needs = { ...people, ...hosts, certificates, isRemoved, places, world, ...ipfs };
  const peers = parts.use(await openPeers(needs, config));
  met.peers = peers;
  // What fellows of a group ask each other is small, and waits for nobody.
  const guard: GuardNetwork["guard"] = (...asked) => peers.guard(...asked);
  const share: ShareNetwork["share"] = (...asked) => peers.share(...asked);
  const between: DeviceNetwork["device"] = (...asked) => peers.device(...asked);
  const direct = { guard, share, device: between };
  const network = { ...limitedNetwork(countedNetwork(peers, ledger.tally), traffic), ...direct };
  const acting = () => certificates().map(({ owner: one }) => one);
  return { peers, places, traffic, network, acting, sharing };
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

/** Of a node without a drive there are no other devices; rolls it may keep. */
function deviceHost(met: House["met"], rolls: DeviceHost): DeviceHost {
  return {
    device: async (...asked) => {
      if (asked[1] === "roll" || asked[1] === "askRoll") return await rolls.device(...asked);
      if (met.transfer !== undefined) return await met.transfer.hearing.device(...asked);
      throw new HiveError("Unsupported", "node.device", "this node has no drive");
    },
  };
}

/** A head of the own drive is another device's news, whether this node is a member or not. */
function listening(host: ShardHost, met: House["met"]): ShardHost {
  return {
    ...host,
    async putRecord(...told) {
      const [, kind, record] = told;
      if (kind === "head" && met.transfer?.hear(record) === true) return;
      await host.putRecord(...told);
    },
  };
}
