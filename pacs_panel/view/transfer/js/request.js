// One request, with word of how much of it was sent. A network that fails is an error; any answer is none.
export class Answered extends Error {
  constructor(status, { what, hint, ...more } = {}) {
    super(what ?? `the server answered ${status}`);
    Object.assign(this, { status, hint, more });
  }
}

export function ask(method, path, { body = null, headers = {}, sent = () => {}, signal } = {}) {
  return new Promise((yes, no) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => sent(loaded);
    request.onerror = () => no(new TypeError("the server does not answer"));
    request.onabort = () => no(new DOMException("stopped", "AbortError"));
    request.onload = () => {
      const told = parsed(request.responseText);
      if (request.status < 300) yes(told);
      else no(new Answered(request.status, told));
    };
    signal?.addEventListener("abort", () => request.abort());
    if (signal?.aborted) no(new DOMException("stopped", "AbortError"));
    else request.send(body);
  });
}

export function asJson(value) {
  return { body: JSON.stringify(value), headers: { "Content-Type": "application/json" } };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
