// How the report looks, by day and by night, on wide screens and on phones.

enum ReportStyle {
    static let css = """
        :root{--page:#f6f7f9;--card:#fff;--text:#1c1f24;--muted:#626a77;--line:#e2e6ec;--track:#e8ebf0;--accent:#2b6cb0;--soft:#a9c7e8;\
        --second:#b7791f;--mark:#8a6fc2;--good:#1f7a4d;--bad:#b3362f;--del:#fbe3e1;--ins:#dff2e6}
        @media (prefers-color-scheme:dark){:root{--page:#14171c;--card:#1d2128;--text:#e9ecf1;--muted:#98a1b0;--line:#2e343e;\
        --track:#303742;--accent:#6aa9ec;--soft:#35577d;--second:#e0a94b;--mark:#b49ae6;--good:#5ec48d;--bad:#f0837b;--del:#55292a;--ins:#1f4732}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,"Segoe UI","Noto Sans","DejaVu Sans",sans-serif}
        header,main,footer{max-width:1080px;margin:0 auto;padding:0 20px}
        header{padding-top:30px}
        h1{font-size:26px;line-height:1.25;margin:0 0 6px}
        h2{font-size:20px;margin:0 0 12px}
        h3{font-size:16px;margin:0 0 10px}
        h4{font-size:14px;margin:14px 0 6px}
        .facts{display:flex;flex-wrap:wrap;gap:6px 18px;color:var(--muted);margin:0 0 20px}
        section,.part{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px;margin:0 0 18px}
        section.run{background:none;border:0;padding:0}
        section.run>h2{margin:30px 0 12px}
        .muted,small{color:var(--muted)}
        small{display:block;font-weight:400;font-size:12.5px}
        .good{color:var(--good);font-weight:600}
        .bad{color:var(--bad);font-weight:600}
        .scroll{overflow-x:auto;max-width:100%}
        table{border-collapse:collapse;width:100%}
        th,td{text-align:left;padding:7px 10px;border-bottom:1px solid var(--line);vertical-align:middle;font-weight:400}
        tbody tr:last-child>*{border-bottom:0}
        thead th{color:var(--muted);font-size:12.5px}
        tbody th{font-weight:600}
        .number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
        .score-cell{font-size:18px;font-weight:650}
        td.plot{min-width:190px}
        td.plot svg{width:100%;max-width:300px;height:auto;display:block}
        svg{max-width:100%;height:auto}
        .track{fill:var(--track)}.bar{fill:var(--accent)}.band{fill:var(--mark)}.interval{fill:var(--soft)}.score,.dot{fill:var(--accent)}
        .dot{fill-opacity:.65}
        .text{fill:var(--text)}.muted{fill:var(--muted)}
        .grid{stroke:var(--line)}.whisker{stroke:var(--text);stroke-width:1.5}.target{stroke:var(--text);stroke-width:1.5;stroke-dasharray:3 2}
        .curve{fill:none;stroke:var(--accent);stroke-width:2.2}.curve.second{stroke:var(--second)}
        .charts{display:flex;flex-wrap:wrap;gap:14px 32px;align-items:flex-start}
        .charts>div{flex:1 1 380px;min-width:0}
        .legend{font-size:12.5px;margin:10px 0 0}
        .key{display:inline-block;margin:0 6px 0 14px;vertical-align:middle}
        .key:first-child{margin-left:0}
        .key.dot{width:11px;height:11px;border-radius:6px;background:var(--accent)}
        .key.line{width:20px;height:6px;border-radius:3px;background:var(--soft)}
        .key.mark{width:4px;height:16px;border-radius:2px;background:var(--mark)}
        .items{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(320px,100%),1fr));gap:14px}
        .item{border:1px solid var(--line);border-radius:10px;padding:12px 14px;min-width:0}
        .item h4{margin:0 0 8px;display:flex;gap:8px;align-items:center;min-width:0}
        .item h4 code{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
        .badge{background:var(--track);border-radius:999px;padding:1px 9px;font-size:12.5px;font-weight:600;font-variant-numeric:tabular-nums}
        .media img{max-width:100%;max-height:230px;border-radius:6px;display:block;margin:0 0 8px;background:var(--track)}
        .film{margin:0 0 8px;display:flex;flex-wrap:wrap;gap:4px}
        .film img{max-height:84px;max-width:calc(50% - 2px);margin:0}
        figure.sound{margin:0 0 8px}
        figcaption{font-size:12px;color:var(--muted);overflow-wrap:anywhere;width:100%}
        audio{width:100%;height:36px}
        dl{margin:0}
        dt{font-size:12px;color:var(--muted);margin-top:6px}
        dd{margin:0;overflow-wrap:anywhere;white-space:pre-line}
        .options{margin:4px 0 0;padding-left:4px;list-style:none}
        del{background:var(--del);text-decoration:line-through;border-radius:3px;padding:0 2px}
        ins{background:var(--ins);text-decoration:none;border-radius:3px;padding:0 2px}
        code,pre{font:12.5px/1.5 ui-monospace,"DejaVu Sans Mono",monospace}
        pre{white-space:pre-wrap;margin:2px 0 10px}
        .failures{margin:0;padding-left:18px}
        .missing dt{font-weight:600;font-size:14px;color:var(--text)}
        footer{color:var(--muted);font-size:12.5px;padding-bottom:30px}
        @media (max-width:640px){header,main,footer{padding-left:12px;padding-right:12px}section,.part{padding:14px 12px}\
        th,td{padding:6px 7px}h1{font-size:22px}}
        """
}
