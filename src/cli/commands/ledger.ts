/** `hive ledger`: who owes whom, as the running daemon's books say. */
import { GiB, KiB, MiB } from "../../base/bytes.ts";
import type { LedgerRow, LedgerView } from "../../base/views/peers.ts";
import { askControl } from "../daemon/control.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import type { Home } from "../home/home.ts";
import { print, printJson, say, sizeText, table } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";

const headings = [
  "peer", "keeps for us", "we keep", "balance", "GB hours for us", "by us", "may have",
  "what follows",
];

export async function ledger(home: Home, line: CommandLine): Promise<ExitCode> {
  const found = (await askControl(home.socket, "ledger", {}, say)) as LedgerView;
  if (line.flag("json")) printJson(found);
  else print(ledgerText(found));
  return exitCodes.ok;
}

function ledgerText({ ratio, rows }: LedgerView): string {
  const asked = ratio === 0
    ? "this node asks nothing of anybody"
    : `strangers are asked for ${ratio} GB kept for each GB of files; friends for nothing`;
  if (rows.length === 0) return `${asked}\nnobody has kept anything for anybody yet`;
  return `${asked}\n${table(headings, rows.map(cellsOf))}`;
}

function cellsOf(row: LedgerRow): string[] {
  return [
    row.isFriend ? `${row.peer} (friend)` : row.peer,
    sizeText(row.keptForUsBytes),
    sizeText(row.keptForThemBytes),
    balanceText(row.balanceBytes),
    hoursText(row.provenForUsKiBHours),
    hoursText(row.provenForThemKiBHours),
    row.isFriend ? "-" : sizeText(row.standingBytes),
    [...owedWords(row), row.follows].join("; "),
  ];
}

function owedWords({ theyOweBytes, weOweBytes }: LedgerRow): string[] {
  return [
    ...(theyOweBytes > 0 ? [`owes us ${sizeText(theyOweBytes)}`] : []),
    ...(weOweBytes > 0 ? [`we owe it ${sizeText(weOweBytes)}`] : []),
  ];
}

function balanceText(bytes: number): string {
  if (bytes === 0) return "even";
  return bytes > 0 ? `+${sizeText(bytes)}` : `-${sizeText(-bytes)}`;
}

function hoursText(kibHours: number): string {
  const gbHours = kibHours / (GiB / KiB);
  if (gbHours >= 10) return gbHours.toFixed(0);
  return gbHours.toFixed(kibHours >= MiB / KiB ? 3 : 6);
}
