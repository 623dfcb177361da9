/* Diagrams in the page's colours, light and dark: mermaid paints groups in light ones of its own, whatever the theme says. */
{
  const initialize = mermaid.initialize.bind(mermaid);
  const groups = ".cluster rect { fill: var(--md-default-fg-color--lightest) !important; stroke: var(--md-default-fg-color--lighter) !important }";
  mermaid.initialize = (config) => initialize({ ...config, themeCSS: config.themeCSS + groups });
}
