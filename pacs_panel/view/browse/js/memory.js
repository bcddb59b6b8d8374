// Light or dark, kept for the next page.
export function render({ model }) {
  model.on("shown", () => {
    document.cookie = `theme=${model.shown.theme}; path=/; max-age=31536000; SameSite=Strict`;
  });
  return document.createElement("span");
}
