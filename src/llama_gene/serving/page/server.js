// What the page asks of its server: JSON, and events as they come.

const KEY = "llama-gene.key";

export const setKey = (key) => sessionStorage.setItem(KEY, key);

/** What went wrong, in the server's words; `status` 0: it was not reached. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, body, signal) {
  const key = sessionStorage.getItem(KEY);
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const request = { headers, signal, cache: "no-store" };
  if (body !== undefined) {
    Object.assign(request, { method: "POST", body: JSON.stringify(body) });
    headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(path, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The server cannot be reached. Is it still running?");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  const wait = response.headers.get("Retry-After");
  const message = told?.error?.message ?? `The server answered ${response.status}.`;
  throw new Refused(response.status, wait ? `${message} (Wait ${wait} s.)` : message);
}

export const about = async () => (await ask("/page/about")).json();

export const tokens = async (text) => (await (await ask("/page/tokens", { text })).json()).spans;

export const tools = async () => (await (await ask("/page/tools")).json()).tools;

export const callTool = async (body, signal) => (await ask("/page/tool", body, signal)).json();

/** The events of a turn. Aborting the signal stops the model. */
export async function* turn(body, signal) {
  const response = await ask("/page/turn", body, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Refused(0, "The answer broke off: the connection to the server was lost.");
    const events = (text + value).split("\n\n");
    text = events.pop();
    for (const event of events) {
      const data = event.replace(/^data: /, "");
      if (data === "[DONE]") return;
      const values = JSON.parse(data);
      // A step can have failed while the turn goes on; what ends it has no type.
      if (!values.type) throw new Refused(500, values.error.message);
      yield values;
    }
  }
}
