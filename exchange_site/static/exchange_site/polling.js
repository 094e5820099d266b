const LONGEST_SECONDS = 15;

/**
 * Fetch `url` again and again, and hand each answer to `show`. Nothing is fetched while the page is hidden. The pace
 * follows the header RateLimit, so that open pages leave half of the address's calls to others; after a failure,
 * `say(text)` tells it and the pace slows down.
 */
export function poll(url, { seconds, show, say = () => {} }) {
  let timer = 0;
  let isWaiting = false;

  async function ask() {
    isWaiting = true;
    let wait = LONGEST_SECONDS;
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" } });
      if (answer.ok) {
        show(await answer.json());
        say("");
        wait = Math.max(seconds, paceOf(answer.headers));
      } else {
        wait = Number(answer.headers.get("Retry-After")) || wait;
        say(`The service answered ${answer.status}; asking again in ${wait} s.`);
      }
    } catch {
      wait = 3;
      say("The service does not answer; asking again.");
    }
    isWaiting = false;
    if (!document.hidden) timer = setTimeout(ask, wait * 1000);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden && !isWaiting) ask();
  });
  ask();
}

/** The seconds to wait after an answer, by what it says of limits: `"anonymous";r=59;t=60`. */
function paceOf(headers) {
  const limits = [...(headers.get("RateLimit") ?? "").matchAll(/r=(\d+);t=(\d+)/g)];
  const paces = limits.map(([, left, until]) => (2 * until) / Math.max(left, 1));
  return Math.min(Math.max(0, ...paces), LONGEST_SECONDS);
}
