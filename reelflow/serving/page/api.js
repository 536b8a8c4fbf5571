// Requests to the server. Whoever asks waits while the server is away: the question is put again
// until it answers, and what is on the page stays.

const FIRST_PAUSE = 500, LONGEST_PAUSE = 4000;
const away = { since: 0, tell: () => {} };

// `tell` is called with true when the server stops answering, and with false when it is back.
export function onOutage(tell) {
  away.tell = tell;
}

export function get(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== null && one !== "" && one !== undefined) query.append(name, one);
  }
  return ask(`api/v1/${path}?${query}`, { signal });
}

export function post(path, body, signal = undefined) {
  const headers = { "Content-Type": "application/json" };
  return ask(`api/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body), signal });
}

// Fetches with the API key of this tab, for which the server may want one.
export async function withKey(url, options = {}) {
  const send = (key) => fetch(url, { ...options, headers: { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) } });
  const tried = sessionStorage.getItem("key");
  const found = await send(tried);
  if (found.status !== 401) return found;
  const since = sessionStorage.getItem("key");  // entered for another request meanwhile
  const key = since !== tried ? since : prompt("This server wants an API key.")?.trim();
  if (!key) return found;
  sessionStorage.setItem("key", key);
  return send(key);
}

async function ask(url, options) {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, 2 * pause)) {
    const response = await withKey(url, options).catch((error) => {
      if (error.name === "AbortError") throw error;
      return null;  // no connection
    });
    if (response && ![429, 502, 503, 504].includes(response.status)) {
      if (away.since) away.tell(false);
      away.since = 0;
      return answer(response);
    }
    if (!away.since) away.tell(true);
    away.since ||= Date.now();
    const wanted = Number(response?.headers.get("Retry-After")) * 1000;
    await wait(Math.max(pause, wanted || 0), options.signal);
  }
}

async function answer(response) {
  const content = await response.json().catch(() => ({ error: `The server answered ${response.status}.` }));
  if (!response.ok) throw new Error(content.error);
  return content;
}

function wait(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("", "AbortError"));
    });
  });
}
