/**
 * Two real nodes agree on what one did for the other, whoever restarts, forgets or loses a message;
 * and one that inflates, forks, replays or will not sign gains nothing.
 */
import { test } from "tap";
import { HiveError } from "../../src/base/errors.ts";
import type { SegmentId } from "../../src/base/ids.ts";
import type { LedgerRow } from "../../src/base/views/peers.ts";
import { type Admission, type Entry, acceptAdmission, beforeFirst, hashOf, signAdmission }
  from "../../src/ledger/entry.ts";
import { type Question, encodeQuestion, parseAnswer, parseQuestion }
  from "../../src/ledger/message.ts";
import { faultOf } from "../support/faults.ts";
import { type Neighbour, type NeighbourOptions, keysOf, openNeighbour }
  from "../support/ledger-town.ts";
import { MemoryKeyValue } from "../support/memory-host.ts";
import { TestDrive } from "../support/peer-nodes.ts";
import { ShiftedClock } from "../support/transfer-world.ts";

const hourMs = 3_600_000;
const mib = 2 ** 20;
const ownersDrive = new TestDrive("owner").keys.owner;

const faultLost = new HiveError("TimedOut", "test.settle", "the answer was lost");

/** A holder that keeps something for the owner's drive. */
function openHolder(options: NeighbourOptions = {}): Promise<Neighbour> {
  return openNeighbour("holder", { lodgers: [ownersDrive], ...options });
}

/** So many audits an hour apart, all right. */
async function audit(owner: Neighbour, hours: number): Promise<void> {
  for (let hour = 0; hour < hours; hour++) {
    owner.clock.shiftMs += hourMs;
    const answers = [{ peer: keysOf("holder").peer, index: 0, outcome: "right" as const }];
    const segment = "ab".repeat(32) as SegmentId;
    await owner.ledger.tally.proved({ segment, shardBytes: mib, answers });
  }
}

function rowOf(one: Neighbour, name: string): LedgerRow | undefined {
  return one.ledger.view().rows.find(({ peer }) => peer === keysOf(name).peer);
}

/**
 * What both books say that the holder did for the owner, in whole MiB hours: the seconds that this
 * machine takes are counted, too, and on a busy one they come to some KiB hours.
 */
function bothSay(owner: Neighbour, holder: Neighbour): readonly (number | undefined)[] {
  const said = [rowOf(owner, "holder")?.provenForUsKiBHours,
    rowOf(holder, "owner")?.provenForThemKiBHours];
  return said.map((kib) => kib === undefined ? undefined : Math.round(kib / 1024));
}

const settle = (owner: Neighbour): Promise<void> => owner.ledger.settleWith(keysOf("holder").peer);

test("two nodes co-sign what proofs earned, on and on, and both books say the same", async (t) => {
  const clock = new ShiftedClock();
  await using holder = await openHolder({ clock });
  await using owner = await openNeighbour("owner", { clock });
  await owner.peers.connect(holder.address);
  await audit(owner, 25);
  t.strictSame(bothSay(owner, holder), [24, undefined], "nothing is signed yet");
  await settle(owner);
  t.strictSame(bothSay(owner, holder), [24, 24]);
  await audit(owner, 24);
  owner.ledger.tally.sent(holder.keys.peer, 5000);
  await settle(owner);
  t.strictSame(bothSay(owner, holder), [48, 48]);
  t.equal(rowOf(holder, "owner")?.sentToThemBytes, 5000);
  t.ok((rowOf(owner, "holder")?.standingBytes ?? 0) > 0.95 * mib, "it is good for what it keeps");
  t.equal(rowOf(holder, "owner")?.standingBytes, 0, "the owner has kept nothing for it");
});

test("a restart on either side, and an answer that is lost, cost nothing", async (t) => {
  const clock = new ShiftedClock();
  const books = { owner: new MemoryKeyValue(), holder: new MemoryKeyValue() };
  for (const round of [1, 2, 3]) {
    await using holder = await openHolder({ clock, books: books.holder });
    await using owner = await openNeighbour("owner", { clock, books: books.owner });
    await owner.peers.connect(holder.address);
    await audit(owner, round === 1 ? 11 : 10);
    const { peers } = owner;
    const real = peers.settle.bind(peers);
    let calls = 0;
    // The holder signs, and nobody hears of it.
    peers.settle = async (...asked) => {
      const answer = await real(...asked);
      if (++calls === 2) throw faultLost;
      return answer;
    };
    await t.rejects(settle(owner));
    peers.settle = real;
    if (round === 2) await settle(owner);
  }
  await using holder = await openHolder({ clock, books: books.holder });
  await using owner = await openNeighbour("owner", { clock, books: books.owner });
  await owner.peers.connect(holder.address);
  await settle(owner);
  t.strictSame(bothSay(owner, holder), [30, 30]);
  t.strictSame([owner, holder].map((one) => one.ledger.view().rows.map(({ follows }) => follows)),
    [["nothing"], ["nothing"]], "and nobody is taken for a cheat");
});

test("books that are empty on one side heal from the other's, and go on", async (t) => {
  const clock = new ShiftedClock();
  const kept = new MemoryKeyValue();
  {
    await using holder = await openHolder({ clock, books: kept });
    await using owner = await openNeighbour("owner", { clock });
    await owner.peers.connect(holder.address);
    await audit(owner, 11);
    await settle(owner);
  }
  await using holder = await openHolder({ clock, books: kept });
  const owners = new MemoryKeyValue();
  {
    await using owner = await openNeighbour("owner", { clock, books: owners });
    await owner.peers.connect(holder.address);
    await audit(owner, 6);
    await settle(owner);
    t.strictSame(bothSay(owner, holder), [15, 15], "the owner had lost its books");
  }
  await using other = await openHolder({ clock, books: new MemoryKeyValue() });
  await using owner = await openNeighbour("owner", { clock, books: owners });
  await owner.peers.connect(other.address);
  await audit(owner, 2);
  await settle(owner);
  t.strictSame(bothSay(owner, other), [17, 17], "and now the holder");
});

interface Liar {
  readonly liar: Neighbour;
  readonly holder: Neighbour;
  ask(told: Partial<Question>): Promise<ReturnType<typeof parseAnswer>>;
  first: Admission;
}

/** A client that says over the wire what it likes. */
async function openLiar(parts: AsyncDisposableStack): Promise<Liar> {
  const clock = new ShiftedClock();
  const holder = parts.use(await openHolder({ clock }));
  const liar = parts.use(await openNeighbour("owner", { clock }));
  await liar.peers.connect(holder.address);
  const bare = { newest: undefined, entries: [], frauds: [], next: undefined };
  const first = signAdmission(liar.keys, {
    server: holder.keys.peer, book: "00".repeat(8), number: 1, last: beforeFirst,
    atMs: clock.now(), kept: 500, watched: 86_400, repaired: 0, sent: 0,
  });
  return {
    liar, holder, first,
    ask: async (told) => parseAnswer(
      await liar.peers.settle(holder.keys.peer, encodeQuestion({ ...bare, ...told })),
    ),
  };
}

test("who inflates is refused: nobody can write down his own merits", async (t) => {
  await using parts = new AsyncDisposableStack();
  const { liar, holder, first, ask } = await openLiar(parts);
  const merits = signAdmission(liar.keys, { ...first, server: keysOf("accomplice").peer });
  t.equal(await faultOf(ask({ next: merits })), "Denied", "a pair that is not theirs");
  const made = acceptAdmission(liar.keys, signAdmission(keysOf("accomplice"), {
    ...first, server: liar.keys.peer, kept: 1e12,
  }));
  await ask({ entries: [made] });
  t.equal(rowOf(holder, "owner")?.standingBytes ?? 0, 0, "an accomplice's debts lead nowhere");
  t.equal((await ask({ next: first })).newest?.kept, 500, "but a debt is signed at once");
});

test("who replays an old entry is shown the newest, and changes nothing", async (t) => {
  await using parts = new AsyncDisposableStack();
  const { liar, holder, first, ask } = await openLiar(parts);
  const old = (await ask({ next: first })).newest as Entry;
  const second = signAdmission(liar.keys, {
    ...first, number: 2, kept: 900, last: hashOf(old.admission),
  });
  t.equal((await ask({ next: second })).newest?.number, 2);
  t.equal((await ask({ newest: old, next: first, entries: [old] })).newest?.number, 2);
  t.equal(rowOf(holder, "owner")?.provenForThemKiBHours, 900);
});

test("who forks is exposed, and whoever is shown the proof counts it for nothing", async (t) => {
  await using parts = new AsyncDisposableStack();
  const { liar, holder, first, ask } = await openLiar(parts);
  await ask({ next: first });
  const answer = await ask({ next: signAdmission(liar.keys, { ...first, kept: 3 }) });
  t.equal(answer.newest?.kept, 500, "what was signed stays");
  t.equal(answer.frauds[0]?.peer, liar.keys.peer);
  t.ok((answer.frauds[0]?.bytes.length ?? Infinity) < 1024);
  t.match(rowOf(holder, "owner")?.follows, /two entries/);
  const third = parts.use(await openNeighbour("third", { lodgers: [ownersDrive] }));
  await holder.peers.connect(third.address);
  await liar.peers.connect(third.address);
  await liar.peers.settle(third.keys.peer, encodeQuestion({
    newest: undefined, entries: [], frauds: [],
    next: signAdmission(liar.keys, { ...first, server: third.keys.peer }),
  }));
  t.equal(rowOf(third, "owner")?.follows, "nothing", "a third one knows nothing of it yet");
  await holder.ledger.settleWith(third.keys.peer);
  t.match(rowOf(third, "owner")?.follows, /two entries/);
});

test("who will not sign has no credit, and its client never writes two", async (t) => {
  const clock = new ShiftedClock();
  await using holder = await openHolder({ clock });
  await using owner = await openNeighbour("owner", { clock });
  await owner.peers.connect(holder.address);
  const sent: string[] = [];
  const real = owner.peers.settle.bind(owner.peers);
  owner.peers.settle = async (to, message) => {
    const { next, ...rest } = parseQuestion(message);
    if (next !== undefined) sent.push(Buffer.from(next.bytes).toString("hex"));
    return real(to, encodeQuestion({ ...rest, next: undefined }));
  };
  await audit(owner, 5);
  await settle(owner);
  await audit(owner, 5);
  await settle(owner);
  t.equal(sent.length, 2);
  t.equal(new Set(sent).size, 1, "the same word again, though more was earned since");
  t.equal(rowOf(owner, "holder")?.standingBytes, 0);
  owner.peers.settle = real;
  await settle(owner);
  await settle(owner);
  t.strictSame(bothSay(owner, holder), [9, 9], "signed at last, it has it all");
});

test("a stranger who keeps nothing here cannot fill our books, nor ask without end", async (t) => {
  await using parts = new AsyncDisposableStack();
  const { holder, first } = await openLiar(parts);
  const stranger = parts.use(await openNeighbour("stranger"));
  await stranger.peers.connect(holder.address);
  const next = signAdmission(stranger.keys, { ...first });
  const message = encodeQuestion({ newest: undefined, entries: [], frauds: [], next });
  const faults: unknown[] = [];
  for (let time = 0; time < 8; time++) {
    faults.push(await faultOf(stranger.peers.settle(holder.keys.peer, message)));
  }
  t.strictSame(new Set(faults), new Set(["Denied", "Busy"]));
  t.equal(await faultOf(stranger.peers.settle(holder.keys.peer, Buffer.alloc(50_000))), "TooLarge");
});
