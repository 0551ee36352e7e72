from stepgrad.markup import Html, join, tag


def test_text_is_escaped_in_children_and_attributes():
    element = tag("td", '<b onclick="x">&', title='"><script>alert(1)</script>')
    assert element == (
        '<td title="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;">&lt;b '
        "onclick=&quot;x&quot;&gt;&amp;</td>"
    )


def test_markup_stays_markup():
    assert tag("p", tag("br"), Html("<i>x</i>")) == "<p><br><i>x</i></p>"
    assert isinstance(join([]), Html)


def test_attributes():
    assert tag("line", x1=0, class_="grid", stroke_width=2, id=None) == (
        '<line x1="0" class="grid" stroke-width="2"></line>'
    )


def test_values_that_are_no_text():
    assert tag("td", 3, None, 0.5) == "<td>30.5</td>"
