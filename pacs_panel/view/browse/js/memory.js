// Light or dark, kept for the next page; and word of a narrow window, in which the side would cover the page.
export function render({ model }) {
  model.on("shown", () => {
    document.cookie = `theme=${model.shown.theme}; path=/; max-age=31536000; SameSite=Strict`;
  });
  if (window.innerWidth < 820) model.send_msg({ kind: "narrow" });
  return document.createElement("span");
}
