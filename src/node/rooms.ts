/** The rooms of a node, built and introduced to each other; whoever closes the parts ends them. */
import { type Agent, openAgent } from "../agent/agent.ts";
import { wardReach } from "../agent/asking/ward-reach.ts";
import { openGuardian } from "../agent/guard/guardian.ts";
import { GivingUp } from "../agent/leaving/giving-up.ts";
import { Leaving } from "../agent/leaving/leaving.ts";
import { LettingGo } from "../agent/leaving/letting-go.ts";
import { Shedding } from "../agent/leaving/shedding.ts";
import { Tending } from "../agent/mending/tending.ts";
import type { KeyValue } from "../base/blocks.ts";
import { agentKeys } from "../base/book-keys.ts";
import { booksUnder } from "../base/books-under.ts";
import { type Clock, systemClock as clock } from "../base/clock.ts";
import type { PeerId } from "../base/ids.ts";
import type { Log } from "../base/log.ts";
import { memoryStep } from "../base/machine/memory.ts";
import { type Random, systemRandom as random } from "../base/random.ts";
import { emptySource } from "../bridge/source.ts";
import { driveKeysIn } from "../crypt/devices/added-device.ts";
import { personKeysOf } from "../crypt/records/grants.ts";
import { type Coder, openCoder } from "../erasure/erasure.ts";
import type { Notices } from "../guard/notices.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Peers } from "../peers/peers.ts";
import { policiesOf } from "../placement/telling/describe.ts";
import type { Places } from "../places/places.ts";
import { Survey } from "../places/survey.ts";
import type { Sharing } from "../sharing/sharing.ts";
import { LinkStep } from "../traffic/link.ts";
import type { Traffic } from "../traffic/traffic.ts";
import { type Transfer, openTransfer } from "../transfer/transfer.ts";
import type { Vault } from "../vault/vault.ts";
import { type Company, type Owner, openCompany } from "./company.ts";
import { type NodeConfig, type NodeNeeds, noTexts } from "./config.ts";
import { Guests } from "./guests.ts";
import { type House, openHouse } from "./house.ts";
import { openNodeSharing } from "./sharing.ts";

export interface Rooms {
  readonly peers: Peers;
  readonly vault: Vault;
  readonly transfer: Transfer | undefined;
  readonly sharing: Sharing | undefined;
  /** Of what is written in folders of others. */
  readonly guests: Guests | undefined;
  /** Undefined where nothing of others' can be given to anybody. */
  readonly tending: Tending | undefined;
  readonly agent: Agent;
  readonly places: Places;
  readonly ledger: Ledger;
  readonly traffic: Traffic;
  readonly leaving: Leaving;
  readonly shedding: Shedding;
  readonly notices: Notices;
  /** The device's, for invites. */
  readonly name: string;
  /** What is wrong with the user's policies. */
  readonly problem: string | null;
  readonly networkKey: Uint8Array | undefined;
  /** Undefined where the words are not. */
  readonly driveSeed: Uint8Array | undefined;
}

export async function openRooms(
  needs: NodeNeeds,
  config: NodeConfig,
  parts: AsyncDisposableStack,
): Promise<Rooms> {
  const { log, source } = needs;
  const house = await openHouse(needs, config, parts);
  const { keys, ledger, vault, met, notices, openBooks } = house;
  const owner = ownerOf(config);
  const company = await openCompany(needs, config, { ...house, owner }, parts);
  const { peers, places, traffic, network } = company;
  const shared = { network, clock, random, log };
  const coder = openCoder();
  const ours = await openOwnersRooms(needs, config, { ...shared, ...house, owner, company, coder });
  const { transfer, sharing } = ours;
  met.transfer = transfer;
  parts.defer(() => ours.guests?.[Symbol.asyncDispose]());
  const survey = new Survey({
    ...shared, places, network: peers.ranging, peers: () => peers.peers(),
    wanted: transfer === undefined ? undefined : () => transfer.holders().keys(),
  });
  const lettingGo = new LettingGo({ ...shared, vault, creditors: ledger });
  // Beside a drive it is a thread that nobody waits for: at rest it has nothing better to do.
  const memory = source === undefined ? [] : [memoryStep({ clock })];
  const books = await openBooks("agent");
  const isMember = async (peer: PeerId): Promise<boolean> => {
    return transfer?.health.isMember(peer) === true || await ours.guests?.isMember(peer) === true;
  };
  const guard = await openGuardian(
    { ...shared, host: vault, shelf: vault.shelf, books, coder, keys, notices, isMember },
    guardianOptions(config),
  );
  met.guardian = guard;
  const { leaving, shedding } = await openLeaving(house, peers, { ...shared, books });
  const link = new LinkStep({ clock, log, traffic });
  const letGo = [lettingGo, leaving, shedding];
  const steps = [
    peers.step, vault.step, guard.watch, survey, ledger.step, ...letGo, link, ...memory,
    ...(sharing?.steps ?? []),
  ];
  const agentNeeds = {
    ...shared, transfer, tally: ledger.tally, books, brake: traffic.healing, line: traffic, notices,
  };
  const tending = sharing && new Tending({
    ...shared, coder, wards: () => sharing.wards(),
    reach: wardReach({ ...shared, host: vault, acting: company.acting }),
  });
  const bulk = [guard.mend, ...(tending === undefined ? [] : [tending.step])];
  const agent = await openAgent(agentNeeds, { ...config, steps, bulk });
  met.agent = agent;
  traffic.onRelease(() => agent.wake());
  notices.onNews(() => agent.wake());
  parts.defer(() => agent.stop());
  const problem = config.policies?.problem ?? null;
  const { deviceName: name, networkKey, driveSeed } = config;
  const told = { name, networkKey, problem, driveSeed };
  const goingAway = { leaving, shedding, notices };
  return { peers, vault, agent, tending, places, ledger, traffic, ...goingAway, ...ours, ...told };
}

/** What gives up seats of this node's: all of them, or as many as are too many. */
async function openLeaving(
  { keys, vault, notices }: House, peers: Peers,
  shared: Pick<OwnersNeeds, "network" | "clock" | "random" | "log"> & { readonly books: KeyValue },
): Promise<Pick<Rooms, "leaving" | "shedding">> {
  const givingUp = new GivingUp({ ...shared, vault, notices });
  const going = { ...shared, vault, givingUp, self: keys.peer };
  const leaving = new Leaving({ ...going, books: booksUnder(shared.books, agentKeys.leave) });
  await leaving.open();
  const shedding = new Shedding({
    ...going, peers: () => peers.peers(), isLeaving: () => leaving.isUnderWay,
  });
  return { leaving, shedding };
}

interface OwnersNeeds
  extends Pick<House, "met" | "openBooks" | "vault" | "ledger" | "notices"> {
  readonly network: Company["network"];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly owner: Owner | undefined;
  readonly company: Company;
  readonly coder: Coder;
}

/** What a node has because it is of a drive: neither on one that only keeps shards. */
async function openOwnersRooms(
  needs: NodeNeeds, config: NodeConfig, parts: OwnersNeeds,
): Promise<Pick<Rooms, "transfer" | "sharing" | "guests">> {
  const { owner, met, openBooks, company: { traffic } } = parts;
  const none = { sharing: undefined, guests: undefined };
  if (owner === undefined) return { transfer: undefined, ...none };
  const options = transferOptions(config.policies);
  const transfer = await openTransfer({
    ...parts,
    source: needs.source ?? emptySource,
    census: needs.tree,
    merger: needs.merger,
    standIns: needs.tree,
    books: await openBooks("transfer"),
    keys: owner.keys,
    brake: traffic.uploads,
    mayReadAhead: (bytes) => traffic.mayReadAhead(bytes),
    holdsReads: () => traffic.holdsReads,
    isFreeLine: (peer) => traffic.isFree(peer),
    onEpoch: needs.onEpoch,
    recount: needs.recount,
    storeView: config.storeView,
    onPublished: () => met.agent?.wake(),
  }, options);
  const { deviceName } = config;
  const { keys, person } = owner;
  const { named: _folders, ...usual } = options;
  const onPublished = () => met.agent?.wake();
  // Only whoever has the words may write in folders of others.
  const guesting = { ...parts, guest: needs.guest, onPublished };
  const guests = person && new Guests(guesting, { ...config, usual });
  const ours = { ...parts, keys, person, transfer, deviceName, guests };
  const sharing = await openNodeSharing(needs, ours);
  met.sharing = sharing;
  transfer.devices.areGuests = () => sharing.areGuests;
  return { transfer, sharing, guests };
}

function ownerOf(config: NodeConfig): Owner | undefined {
  const { driveSeed } = config;
  const keys = driveKeysIn(config);
  if (keys === undefined) return undefined;
  return { keys, person: driveSeed === undefined ? undefined : personKeysOf(driveSeed) };
}

function guardianOptions({ deadAfterMs, auditIntervalMs: intervalMs, guardLeaseMs }: NodeConfig) {
  const lease = guardLeaseMs === undefined ? {} : { leaseMs: guardLeaseMs };
  return { deadAfterMs, intervalMs, ...lease };
}

function transferOptions(texts = noTexts) {
  const { drive: policy, driveName: policyName, named } = policiesOf(texts);
  return { policy, policyName, named };
}
