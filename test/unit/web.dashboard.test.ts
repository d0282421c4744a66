/** The dashboard over real HTTP: who may look, what is answered, and that it only shows. */
import { request } from "node:http";
import { test } from "tap";
import { HiveError, isFault } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom, systemRandom } from "../../src/base/random.ts";
import type { DriveStatus } from "../../src/base/views/drive.ts";
import type { PeerRow } from "../../src/base/views/peers.ts";
import { type Dashboard, serveDashboard } from "../../src/web/dashboard.ts";

const status: DriveStatus = {
  pid: 4711,
  mount: "/home/ann/Hive",
  isMounted: true, driver: "kernel",
  state: "uploading",
  class: "tiny",
  segments: { total: 12, healthy: 11, degraded: 1, lost: 0 },
  away: { holders: 1, of: 6 }, waitingFor: null, heldBack: null, queues: [],
  resealing: null, lackingFiles: null, pins: null,
  trouble: null, brake: null,
  policy: { problem: null, moving: [], stuck: 0, notHere: [] },
  traffic: {
    paused: null, upload: { perSecond: null, isOpen: true },
    download: { perSecond: null, isOpen: true }, limitLan: false, metered: "unknown",
    sentBytes: 1_000, receivedBytes: 2_000,
  },
  survives: 3, owed: null, parts: [], repair: null, alerts: [],
  lastProvenAt: "2026-11-23T12:00:00.000Z",
  dirtyBytes: 5_000_000,
  cacheBytes: 90_000_000,
  cacheLimitBytes: 400_000_000,
  peers: { known: 8, online: 7, households: 8, householdsNeeded: 6 },
  requests: { READ: 7 },
};

function peerNumbered(number: number): PeerRow {
  return {
    peer: `12D3KooW${String(number).padStart(44, "x")}`,
    online: number % 3 !== 0,
    roundTripMs: number % 3 === 0 ? null : number / 2,
    household: `<b>home-${number}</b>`,
    country: "DE", evidence: "claimed", claimedCountry: "DE", isLying: false, asn: null,
    freeBytes: number * 1e9,
    state: "alive", why: "answered",
  };
}

async function dashboard(
  needs: { status?: () => Promise<DriveStatus>; peers?: () => Promise<readonly PeerRow[]> } = {},
): Promise<Dashboard> {
  const peers = needs.peers ?? (async () => [peerNumbered(1), peerNumbered(3)]);
  return serveDashboard(
    { status: needs.status ?? (async () => status), peers, random: systemRandom, log: silentLog },
    { port: 0 },
  );
}

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

function ask(url: string, options: { method?: string; host?: string } = {}): Promise<Answer> {
  const { port, pathname } = new URL(url);
  const headers = { host: options.host ?? `127.0.0.1:${port}` };
  const { method = "GET" } = options;
  return new Promise((resolve, reject) => {
    const place = { host: "127.0.0.1", port, path: pathname };
    const sent = request({ ...place, method, headers, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.on("end", () => {
        const body = Buffer.concat(parts).toString("utf8");
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body });
      });
    });
    sent.on("error", reject);
    sent.end();
  });
}

test("the page comes whole, with a policy that lets it load nothing from elsewhere", async (t) => {
  const served = await dashboard();
  t.teardown(() => served.close());
  const page = await ask(served.url);
  t.equal(page.status, 200);
  t.match(page.headers["content-type"], /^text\/html/);
  const policy = String(page.headers["content-security-policy"]);
  t.match(policy, /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+';/);
  t.notMatch(policy, /unsafe|http:|\*/);
  t.notMatch(page.body.replaceAll("http://www.w3.org/2000/svg", ""), /https?:\/\//);
  t.notMatch(page.body, /innerHTML|insertAdjacentHTML|document\.write/);
  t.equal(page.headers["cache-control"], "no-store");
  t.equal(page.headers["referrer-policy"], "no-referrer");
});

test("the view is the status, the class's code and the peers, as JSON", async (t) => {
  const served = await dashboard();
  t.teardown(() => served.close());
  const answer = await ask(`${served.url}view.json`);
  t.equal(answer.status, 200);
  t.equal(answer.headers["content-type"], "application/json");
  t.strictSame(JSON.parse(answer.body), {
    status,
    code: { k: 2, n: 6, r: 4 },
    peers: [peerNumbered(1), peerNumbered(3)],
    peersLeftOut: 0,
  });
});

test("a drive without a class has no code", async (t) => {
  const alone = { ...status, class: null, survives: null };
  const served = await dashboard({ status: async () => alone });
  t.teardown(() => served.close());
  t.equal(JSON.parse((await ask(`${served.url}view.json`)).body).code, null);
});

test("a wrong token, or a wrong place behind the right one, is not found", async (t) => {
  const served = await dashboard();
  t.teardown(() => served.close());
  const { origin, pathname } = new URL(served.url);
  const token = pathname.slice(1, -1);
  t.match(token, /^[0-9a-f]{32}$/, "128 bits");
  const flipped = `${token.startsWith("0") ? "1" : "0"}${token.slice(1)}`;
  const wrong = [
    "/",
    "/view.json",
    `/${flipped}/`,
    `/${flipped}/view.json`,
    `/${token.slice(1)}/`,
    `/${token}0/`,
    `/${token}`,
    `/${token}/view.json/`,
    `/${token}/../view.json`,
    `/${token}/page.html`,
    `/${token.toUpperCase()}G/`,
  ];
  for (const path of wrong) {
    const answer = await ask(`${origin}${path}`);
    t.equal(answer.status, 404, path);
    t.notMatch(answer.body, token, "a refusal does not tell the token");
  }
});

test("a page under another host name is refused, with the right token too", async (t) => {
  const served = await dashboard();
  t.teardown(() => served.close());
  const { port } = new URL(served.url);
  for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1", "127.0.0.1:1", "[::1]"]) {
    const answer = await ask(`${served.url}view.json`, { host });
    t.not(answer.status, 200, `host ${host}`);
    t.notMatch(answer.body, /segments/);
  }
  t.equal((await ask(served.url, { host: `localhost:${port}` })).status, 200);
});

test("it shows and never changes: every other method is refused", async (t) => {
  const served = await dashboard();
  t.teardown(() => served.close());
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    const answer = await ask(`${served.url}view.json`, { method });
    t.equal(answer.status, 405, method);
    t.equal(answer.headers["allow"], "GET, HEAD");
  }
  const head = await ask(served.url, { method: "HEAD" });
  t.equal(head.status, 200);
  t.equal(head.body, "");
});

test("when the drive does not answer, the page says so and no more", async (t) => {
  const cause = new Error("/home/ann/secret");
  const served = await dashboard({
    status: () => Promise.reject(new HiveError("Unavailable", "bridge.call", "x", { cause })),
  });
  t.teardown(() => served.close());
  const answer = await ask(`${served.url}view.json`);
  t.equal(answer.status, 503);
  t.equal(answer.body, "no answer from the drive: Unavailable\n");
});

test("many who ask at once cost the drive one question", async (t) => {
  let asked = 0;
  const gate = Promise.withResolvers<void>();
  const slow = async (): Promise<DriveStatus> => {
    asked++;
    await gate.promise;
    return status;
  };
  const served = await dashboard({ status: slow });
  t.teardown(() => served.close());
  const answers = Array.from({ length: 20 }, () => ask(`${served.url}view.json`));
  // Each of these has been heard before the next connection's request: twenty were asked by then.
  await Promise.all(Array.from({ length: 20 }, () => ask(served.url)));
  gate.resolve();
  const got = await Promise.all(answers);
  t.ok(got.every((answer) => answer.status === 200));
  t.equal(asked, 1);
  await ask(`${served.url}view.json`);
  t.equal(asked, 2, "and the next one is asked anew");
});

test("a thousand peers are cut to what a page shows", async (t) => {
  const many = Array.from({ length: limits.web.peersShownMax + 7 }, (_, at) => peerNumbered(at));
  const served = await dashboard({ peers: async () => many });
  t.teardown(() => served.close());
  const view = JSON.parse((await ask(`${served.url}view.json`)).body);
  t.equal(view.peers.length, limits.web.peersShownMax);
  t.equal(view.peersLeftOut, 7);
});

test("two dashboards cannot have one port, and each has a token of its own", async (t) => {
  const first = await dashboard();
  t.teardown(() => first.close());
  const { port, pathname } = new URL(first.url);
  const needs = {
    status: async () => status,
    peers: async () => [],
    random: seededRandom("web"),
    log: silentLog,
  };
  const refusal = await serveDashboard(needs, { port: Number(port) }).catch((error) => error);
  t.ok(isFault(refusal, "Busy"));
  const second = await dashboard();
  t.teardown(() => second.close());
  t.not(new URL(second.url).pathname, pathname);
});

test("closed, nobody answers, and closing twice is closing once", async (t) => {
  const served = await dashboard();
  t.equal((await ask(served.url)).status, 200);
  await served.close();
  await served.close();
  await t.rejects(ask(served.url), { code: "ECONNREFUSED" });
});
