// A list of recommendations in a page of a shop.
//
//   <section id="for-you"></section>
//   <script type="module">
//     import { showRecommendations } from "./widget.js";
//     showRecommendations(document.querySelector("#for-you"), { url: "https://bot.shop.example", token: TOKEN });
//   </script>
//
// TOKEN is an end user's: your server asks for it with its own key (POST /v1/tokens) and puts it into the page. It lists and reports for
// this user only. The server's setting `server.cors_origins` names the pages that may call.

/**
 * Show a list, and keep it up: a click is reported, and the next list knows it.
 *
 * @param {HTMLElement} place where the list goes; what is in it is replaced.
 * @param {{url: string, token: string, limit?: number, filters?: object, sessionId?: string, explain?: boolean, onClick?: function}} options
 *   filters: as of POST /v1/recommendations, such as {like: ["sku-7"]} on an item's own page.
 *   onClick: told of the item; without it, a click leads to the item's url.
 */
export async function showRecommendations(place, options) {
  const asked = { limit: options.limit ?? 6, filters: options.filters ?? {}, explain: options.explain ?? false };
  const session = options.sessionId ? { session_id: options.sessionId } : {};
  let list;
  try {
    list = await post(options, "/v1/recommendations", { ...asked, ...session });
  } catch (error) {
    place.replaceChildren(made("p", "rejoinder-note", "Recommendations cannot be shown now."));
    throw error;
  }
  place.dataset.decision = list.decision_id;
  place.replaceChildren(...(list.items.length ? list.items.map(card) : [made("p", "rejoinder-note", list.note)]));

  function card(item) {
    const link = made("a", "rejoinder-card");
    link.dataset.item = item.id;
    link.href = item.url ?? "#";
    const picture = item.image ? made("img", "rejoinder-image") : made("span", "rejoinder-image", item.title.slice(0, 1));
    if (item.image) Object.assign(picture, { src: item.image, alt: "" });
    link.append(picture, made("strong", "rejoinder-title", item.title));
    if (item.price !== null) link.append(made("span", "rejoinder-price", item.price.toFixed(2)));
    link.append(made("small", "rejoinder-reason", item.reason));
    link.addEventListener("click", async (event) => {
      event.preventDefault();
      const told = post(options, "/v1/recommendations/behaviour", { kind: "click", item_id: item.id, ...session });
      await told.catch((error) => console.warn(error)); // the click leads on all the same
      if (options.onClick) options.onClick(item);
      else if (item.url) location.assign(item.url);
      else await showRecommendations(place, options);
    });
    return link;
  }
}

async function post(options, path, body) {
  const response = await fetch(options.url + path, {
    method: "POST",
    headers: { "Authorization": `Bearer ${options.token}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
    keepalive: true,
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.title}: ${answer.detail ?? response.status}`);
  return answer;
}

function made(tag, name, text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text; // never as HTML: titles and reasons come from the catalogue
  return element;
}
