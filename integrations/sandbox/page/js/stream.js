// Follows the sandbox's server-sent events. The browser reconnects by itself; a closed stream is opened again.

const AGAIN_MS = 2000;

export function follow({ onchange, ononline }) {
  const source = new EventSource("/page/stream");
  source.onopen = () => ononline(true);
  source.onmessage = (event) => onchange(JSON.parse(event.data));
  source.onerror = () => {
    ononline(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow({ onchange, ononline }), AGAIN_MS);
  };
}
